/* A context a thread, since one takes longer to make than a block to pack.
 * SPDX-License-Identifier: MIT */
#include "terncp/zip.h"

#ifdef TERN_HAVE_ZSTD

#include <pthread.h>
#include <zstd.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t packer, unpacker;
static bool has_keys;

static void free_packer(void *context)
{
    (void)ZSTD_freeCCtx(context);
}

static void free_unpacker(void *context)
{
    (void)ZSTD_freeDCtx(context);
}

static void make_keys(void)
{
    has_keys = pthread_key_create(&packer, free_packer) == 0 &&
               pthread_key_create(&unpacker, free_unpacker) == 0;
}

static ZSTD_CCtx *my_packer(void)
{
    (void)pthread_once(&once, make_keys);
    ZSTD_CCtx *context = has_keys ? pthread_getspecific(packer) : NULL;
    if (context == NULL && has_keys && (context = ZSTD_createCCtx()) != NULL &&
        pthread_setspecific(packer, context) != 0) {
        (void)ZSTD_freeCCtx(context);
        context = NULL;
    }
    return context;
}

static ZSTD_DCtx *my_unpacker(void)
{
    (void)pthread_once(&once, make_keys);
    ZSTD_DCtx *context = has_keys ? pthread_getspecific(unpacker) : NULL;
    if (context == NULL && has_keys && (context = ZSTD_createDCtx()) != NULL &&
        pthread_setspecific(unpacker, context) != 0) {
        (void)ZSTD_freeDCtx(context);
        context = NULL;
    }
    return context;
}

bool zip_is_there(void)
{
    return true;
}

size_t zip_pack(const uint8_t *data, size_t len, uint8_t *out, int level)
{
    ZSTD_CCtx *context = my_packer();
    size_t room = len - len / 16;
    if (context == NULL || len < 64) {
        return 0;
    }
    size_t n = ZSTD_compressCCtx(context, out, room, data, len, level);
    return ZSTD_isError(n) || n >= room ? 0 : n;
}

bool zip_unpack(const uint8_t *packed, size_t packed_len, uint8_t *out, size_t len)
{
    ZSTD_DCtx *context = my_unpacker();
    return context != NULL && ZSTD_decompressDCtx(context, out, len, packed, packed_len) == len;
}

#else

bool zip_is_there(void)
{
    return false;
}

size_t zip_pack(const uint8_t *data, size_t len, uint8_t *out, int level)
{
    (void)data;
    (void)len;
    (void)out;
    (void)level;
    return 0;
}

bool zip_unpack(const uint8_t *packed, size_t packed_len, uint8_t *out, size_t len)
{
    (void)packed;
    (void)packed_len;
    (void)out;
    (void)len;
    return false;
}

#endif

#define PAUSE_MAX 64

bool zip_gauge_wants(struct zip_gauge *gauge)
{
    if (gauge->skip == 0) {
        return true;
    }
    gauge->skip--;
    return false;
}

void zip_gauge_note(struct zip_gauge *gauge, bool has_shrunk)
{
    if (has_shrunk) {
        gauge->pause = 0;
        return;
    }
    gauge->pause = gauge->pause == 0              ? 2
                   : gauge->pause * 2 < PAUSE_MAX ? gauge->pause * 2
                                                  : PAUSE_MAX;
    gauge->skip = gauge->pause;
}

void zip_gauge_starved(struct zip_gauge *gauge)
{
    gauge->skip = gauge->skip < 4 ? 4 : gauge->skip;
}
