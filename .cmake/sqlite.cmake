# SQLite, for the history of ternchat. An interface target in any case; TERN_HAVE_SQLITE says whether it
# is there.
add_library(tern_sqlite INTERFACE)
if(TERN_SQLITE STREQUAL "AUTO")
    pkg_check_modules(SQLITE IMPORTED_TARGET sqlite3>=3.34)
elseif(TERN_SQLITE)
    pkg_check_modules(SQLITE REQUIRED IMPORTED_TARGET sqlite3>=3.34)
endif()
if(TERN_SQLITE AND SQLITE_FOUND)
    find_package(Threads REQUIRED)
    target_compile_definitions(tern_sqlite INTERFACE TERN_HAVE_SQLITE)
    target_link_libraries(tern_sqlite INTERFACE PkgConfig::SQLITE Threads::Threads)
endif()
