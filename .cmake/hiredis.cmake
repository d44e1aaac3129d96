# hiredis, by which several servers of ternchat share a Redis. An interface target in any case;
# TERN_HAVE_HIREDIS says whether it is there.
add_library(tern_hiredis INTERFACE)
if(TERN_HIREDIS STREQUAL "AUTO")
    pkg_check_modules(HIREDIS IMPORTED_TARGET hiredis>=0.14)
elseif(TERN_HIREDIS)
    pkg_check_modules(HIREDIS REQUIRED IMPORTED_TARGET hiredis>=0.14)
endif()
if(TERN_HIREDIS AND HIREDIS_FOUND)
    target_compile_definitions(tern_hiredis INTERFACE TERN_HAVE_HIREDIS)
    target_link_libraries(tern_hiredis INTERFACE PkgConfig::HIREDIS)
endif()
