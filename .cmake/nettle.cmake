# Nettle, whose SHA-256 uses the instructions that processors have for it, where libsodium's is in C. An
# interface target in any case, so that nobody else need ask; TERN_HAVE_NETTLE says which it is.
add_library(tern_hashes INTERFACE)
if(TERN_NETTLE STREQUAL "AUTO")
    pkg_check_modules(NETTLE IMPORTED_TARGET nettle>=3.6 nettle<4)
elseif(TERN_NETTLE)
    pkg_check_modules(NETTLE REQUIRED IMPORTED_TARGET nettle>=3.6 nettle<4)
endif()
if(TERN_NETTLE AND NETTLE_FOUND)
    target_compile_definitions(tern_hashes INTERFACE TERN_HAVE_NETTLE)
    target_link_libraries(tern_hashes INTERFACE PkgConfig::NETTLE)
    set(TERN_PC_REQUIRES ", nettle >= 3.6, nettle < 4")
    list(APPEND TERN_STATIC_MODULES "nettle>=3.6" "nettle<4")
endif()
