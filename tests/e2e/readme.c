/* A program round the example of README.md, which the build takes out of there: ask ADDRESS KEY.
 * SPDX-License-Identifier: MIT */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <tern/types.h>

int ask(const char *where, const uint8_t server_key[TERN_KEY_SIZE]);

int main(int argc, char **argv)
{
    uint8_t key[TERN_KEY_SIZE];
    if (argc != 3 || strlen(argv[2]) != 2 * sizeof key) {
        return 2;
    }
    for (size_t i = 0; i < sizeof key; i++) {
        const char octet[3] = {argv[2][2 * i], argv[2][2 * i + 1], 0};
        key[i] = (uint8_t)strtoul(octet, NULL, 16);
    }
    return ask(argv[1], key) == 0 ? 0 : 1;
}
