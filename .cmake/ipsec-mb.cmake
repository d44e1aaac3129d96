# intel-ipsec-mb, whose AES-GCM uses the widest instructions that a processor has for it: five times as fast
# as libsodium's, on x86-64. An interface target in any case, as .cmake/nettle.cmake has one for hashes;
# TERN_HAVE_IPSEC_MB says which it is. Its Debian package has no pkg-config file before release 2.
add_library(tern_ciphers INTERFACE)
if(TERN_IPSEC_MB)
    find_path(IPSEC_MB_INCLUDE_DIR intel-ipsec-mb.h)
    find_library(IPSEC_MB_LIBRARY IPSec_MB)
    if(IPSEC_MB_INCLUDE_DIR AND IPSEC_MB_LIBRARY)
        include(CheckCSourceCompiles)
        set(CMAKE_REQUIRED_INCLUDES ${IPSEC_MB_INCLUDE_DIR})
        set(CMAKE_REQUIRED_LIBRARIES ${IPSEC_MB_LIBRARY})
        # What lib/crypto/gcm.c asks of it: its room for a key, and functions that stand alone.
        check_c_source_compiles("
            #include <intel-ipsec-mb.h>
            _Static_assert(IMB_VERSION_NUM >= 0x10000, \"release 1\");
            _Static_assert(sizeof(struct gcm_key_data) <= 1024, \"room\");
            int main(void)
            {
                struct gcm_context_data context;
                struct gcm_key_data key;
                IMB_MGR *mgr = alloc_mb_mgr(0);
                init_mb_mgr_auto(mgr, 0);
                mgr->gcm256_pre(\"\", &key);
                mgr->gcm256_enc(&key, &context, 0, 0, 0, 0, 0, 0, 0, 16);
                free_mb_mgr(mgr);
                return (mgr->features & IMB_FEATURE_VPCLMULQDQ) == 0;
            }" TERN_IPSEC_MB_FITS)
        unset(CMAKE_REQUIRED_INCLUDES)
        unset(CMAKE_REQUIRED_LIBRARIES)
    endif()
    if(TERN_IPSEC_MB_FITS)
        target_compile_definitions(tern_ciphers INTERFACE TERN_HAVE_IPSEC_MB)
        target_include_directories(tern_ciphers SYSTEM INTERFACE ${IPSEC_MB_INCLUDE_DIR})
        target_link_libraries(tern_ciphers INTERFACE ${IPSEC_MB_LIBRARY})
        set(TERN_PC_LIBS " -lIPSec_MB")
        list(APPEND TERN_STATIC_LIBRARIES IPSec_MB)
    elseif(NOT TERN_IPSEC_MB STREQUAL "AUTO")
        message(FATAL_ERROR "TERN_IPSEC_MB is ${TERN_IPSEC_MB}, but there is no intel-ipsec-mb that fits")
    endif()
endif()
