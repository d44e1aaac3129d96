/* A program round the example of README.md, which the build takes out of there: ask ADDRESS KEY.
 * SPDX-License-Identifier: MIT */
#include <stdint.h>

#include <tern/config.h>

int ask(const char *where, const uint8_t server_key[TERN_KEY_SIZE]);

int main(int argc, char **argv)
{
    uint8_t key[TERN_KEY_SIZE];
    if (argc != 3 || tern_key_parse(key, argv[2]) != 0) {
        return 2;
    }
    return ask(argv[1], key) == 0 ? 0 : 1;
}
