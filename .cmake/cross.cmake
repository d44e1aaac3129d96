# A toolchain for another processor: Debian's cross compiler, the libraries that tests/tools/cross-libs.sh has
# fetched, and qemu in front of whatever the tests start.
#
#     cmake --preset release -B build/s390x -DCMAKE_TOOLCHAIN_FILE=.cmake/cross.cmake -DTERN_CROSS=s390x
#
# TERN_CROSS is Debian's name of the architecture: s390x (big-endian), arm64, i386 (32 bits) ...
set(CMAKE_TRY_COMPILE_PLATFORM_VARIABLES TERN_CROSS)
set(cross_s390x s390x s390x)
set(cross_arm64 aarch64 aarch64)
set(cross_i386 i686 i386)
if(NOT cross_${TERN_CROSS})
    message(FATAL_ERROR "TERN_CROSS is \"${TERN_CROSS}\"; it may be s390x, arm64 or i386")
endif()
list(GET cross_${TERN_CROSS} 0 cross_cpu)
list(GET cross_${TERN_CROSS} 1 cross_qemu)

set(TERN_PATIENCE 10 CACHE STRING "") # an emulator's pace
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR ${cross_cpu})
set(CMAKE_C_COMPILER ${cross_cpu}-linux-gnu-gcc)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-${cross_qemu} -L /usr/${cross_cpu}-linux-gnu)

get_filename_component(cross_root ${CMAKE_CURRENT_LIST_DIR}/../build/cross/${TERN_CROSS} ABSOLUTE)
file(GLOB cross_libraries ${cross_root}/usr/lib/*-linux-gnu)
set(ENV{PKG_CONFIG_LIBDIR} ${cross_libraries}/pkgconfig)
set(ENV{PKG_CONFIG_SYSROOT_DIR} ${cross_root})
set(CMAKE_FIND_ROOT_PATH ${cross_root}/usr /usr/${cross_cpu}-linux-gnu)
set(CMAKE_LIBRARY_ARCHITECTURE ${cross_cpu}-linux-gnu)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_BUILD_RPATH ${cross_libraries})

# The machine itself is quicker, where it can run them: i386 on x86-64, say.
file(GLOB cross_loader /usr/${cross_cpu}-linux-gnu/lib/ld-linux*.so.?)
execute_process(COMMAND ${cross_loader} --version RESULT_VARIABLE cross_rc OUTPUT_QUIET ERROR_QUIET)
if(cross_rc EQUAL 0 AND cross_loader)
    set(CMAKE_CROSSCOMPILING_EMULATOR
        ${cross_loader} --library-path /usr/${cross_cpu}-linux-gnu/lib:${cross_libraries})
else() # qemu does not know all ancillary data, and locales have an order of octets, too
    set(cross_source ${CMAKE_CURRENT_LIST_DIR}/../tests/tools/emulated/ancillary.c)
    set(cross_shim ${cross_root}/ancillary.so)
    if(${cross_source} IS_NEWER_THAN ${cross_shim})
        file(MAKE_DIRECTORY ${cross_root})
        execute_process(COMMAND ${CMAKE_C_COMPILER} -std=c11 -O2 -shared -fPIC -o ${cross_shim} ${cross_source} -ldl
            COMMAND_ERROR_IS_FATAL ANY)
    endif()
    list(APPEND CMAKE_CROSSCOMPILING_EMULATOR -E LD_PRELOAD=${cross_shim}
        -E LOCPATH=${cross_root}/usr/lib/locale)
endif()
string(JOIN " " cross_emulator ${CMAKE_CROSSCOMPILING_EMULATOR})
file(WRITE ${CMAKE_BINARY_DIR}/emulator "${cross_emulator}\n") # for scripts
