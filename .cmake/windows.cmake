# A toolchain for Windows: Debian's mingw-w64, the libraries that tests/tools/windows-libs.sh has built, and wine in
# front of whatever the tests start.
#
#     cmake --preset release -B build/windows -DCMAKE_TOOLCHAIN_FILE=.cmake/windows.cmake -DTERN_APPS=OFF
set(CMAKE_SYSTEM_NAME Windows)
set(CMAKE_SYSTEM_PROCESSOR x86_64)
find_program(windows_posix_gcc x86_64-w64-mingw32-gcc-posix)
if(windows_posix_gcc)
    set(CMAKE_C_COMPILER x86_64-w64-mingw32-gcc-posix)
    set(CMAKE_CXX_COMPILER x86_64-w64-mingw32-g++-posix)
else()
    set(CMAKE_C_COMPILER x86_64-w64-mingw32-gcc)
    set(CMAKE_CXX_COMPILER x86_64-w64-mingw32-g++)
endif()
set(CMAKE_RC_COMPILER x86_64-w64-mingw32-windres)
set(CMAKE_CROSSCOMPILING_EMULATOR wine)

get_filename_component(windows_root ${CMAKE_CURRENT_LIST_DIR}/../build/windows-libs ABSOLUTE)
set(ENV{PKG_CONFIG_LIBDIR} ${windows_root}/lib/pkgconfig)
set(CMAKE_FIND_ROOT_PATH ${windows_root} /usr/x86_64-w64-mingw32)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
# libsodium is linked into what is built, and so are the compiler's own libraries.
set(CMAKE_C_FLAGS_INIT -DSODIUM_STATIC)
set(CMAKE_CXX_FLAGS_INIT -DSODIUM_STATIC)
set(CMAKE_EXE_LINKER_FLAGS_INIT -static)
set(CMAKE_SHARED_LINKER_FLAGS_INIT -static-libgcc)
