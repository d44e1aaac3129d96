# libsodium: the system's, or one of your own in TERN_SODIUM_ROOT, which is linked into what is built.
if(TERN_SODIUM_ROOT STREQUAL "AUTO")
    set(root ${PROJECT_SOURCE_DIR}/build/deps) # where tests/tools/newer-sodium.sh puts it
    if(NOT EXISTS ${root}/lib/pkgconfig/libsodium.pc)
        set(root "")
    endif()
elseif(TERN_SODIUM_ROOT)
    get_filename_component(root ${TERN_SODIUM_ROOT} ABSOLUTE BASE_DIR ${PROJECT_SOURCE_DIR})
    if(NOT EXISTS ${root}/lib/pkgconfig/libsodium.pc)
        message(FATAL_ERROR "TERN_SODIUM_ROOT: ${root} has no lib/pkgconfig/libsodium.pc")
    endif()
else()
    set(root "")
endif()

# What an earlier run has found out about another libsodium does not hold for this one.
if(NOT "${root}" STREQUAL "${TERN_SODIUM_FOUND_IN}")
    foreach(name __pkg_config_checked_SODIUM pkgcfg_lib_SODIUM_sodium TERN_HAVE_MLKEM768)
        unset(${name} CACHE)
    endforeach()
endif()
set(TERN_SODIUM_FOUND_IN "${root}" CACHE INTERNAL "The folder that libsodium was found in, if not the system's")

set(TERN_PC_SODIUM 1.0.18)
if(root)
    set(kept "$ENV{PKG_CONFIG_PATH}")
    set(ENV{PKG_CONFIG_PATH} "${root}/lib/pkgconfig:${kept}")
endif()
pkg_check_modules(SODIUM REQUIRED IMPORTED_TARGET libsodium>=1.0.18)
if(root)
    set(ENV{PKG_CONFIG_PATH} "${kept}")
    set(TERN_PC_SODIUM ${SODIUM_VERSION}) # libtern.a wants what this one has
    message(STATUS "libsodium ${SODIUM_VERSION} from ${root}")
endif()
