/* A program round the example of README.md, which the build takes out of there: ask ADDRESS KEY.
 * SPDX-License-Identifier: MIT */
#include <stdint.h>
#include <stdio.h>

#include <tern/types.h>

int ask(const char *where, const uint8_t server_key[TERN_KEY_SIZE]);

int main(int argc, char **argv)
{
    uint8_t key[TERN_KEY_SIZE];
    for (size_t i = 0; i < sizeof key; i++) {
        unsigned octet;
        if (argc != 3 || sscanf(argv[2] + 2 * i, "%2x", &octet) != 1) {
            return 2;
        }
        key[i] = (uint8_t)octet;
    }
    return ask(argv[1], key) == 0 ? 0 : 1;
}
