# How the three libraries are installed: static and shared, headers, pkg-config files and CMake packages. All of
# it finds its folder by itself, so that an installed tree may be moved.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

# The soname changes when programs must be built anew: with the major version, and before 1.0 with the minor
# one (docs/packaging.md).
if(PROJECT_VERSION_MAJOR EQUAL 0)
    set(TERN_SOVERSION 0.${PROJECT_VERSION_MINOR})
    set(TERN_COMPATIBILITY SameMinorVersion)
else()
    set(TERN_SOVERSION ${PROJECT_VERSION_MAJOR})
    set(TERN_COMPATIBILITY SameMajorVersion)
endif()

# From the folder of a pkg-config file to the prefix.
if(IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}")
    set(TERN_PC_PREFIX ${CMAKE_INSTALL_PREFIX})
    set(TERN_PC_LIBDIR ${CMAKE_INSTALL_LIBDIR})
else()
    file(RELATIVE_PATH up /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
    string(REGEX REPLACE "/$" "" up "${up}")
    set(TERN_PC_PREFIX "\${pcfiledir}/${up}")
    set(TERN_PC_LIBDIR "\${prefix}/${CMAKE_INSTALL_LIBDIR}")
endif()

# tern_library(NAME STATIC-TARGET SHARED-TARGET): what a library is called, in the build and for others. Others
# say tern::tern, tern::ev, tern::sim, or the same with -static behind.
function(tern_library name static shared)
    string(REGEX REPLACE "^tern-" "" short ${name})
    set_target_properties(${static} PROPERTIES OUTPUT_NAME ${name} EXPORT_NAME ${short}-static)
    set_target_properties(${shared} PROPERTIES OUTPUT_NAME ${name} EXPORT_NAME ${short}
        VERSION ${PROJECT_VERSION} SOVERSION ${TERN_SOVERSION})
    if(WIN32)
        set_target_properties(${shared} PROPERTIES OUTPUT_NAME ${name}-${TERN_SOVERSION}
            ARCHIVE_OUTPUT_NAME ${name})
    elseif(NOT APPLE AND NOT TERN_SANITIZE)
        target_link_options(${shared} PRIVATE LINKER:-z,defs)
    endif()
    add_library(tern::${short}-static ALIAS ${static})
    if(BUILD_SHARED_LIBS)
        add_library(tern::${short} ALIAS ${shared})
    else()
        add_library(tern::${short} ALIAS ${static})
    endif()
    if(NOT TERN_INSTALL)
        return()
    endif()

    install(TARGETS ${shared} EXPORT ${name}Targets
        RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT libraries
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT libraries NAMELINK_COMPONENT development
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT development
        INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
    install(TARGETS ${static} EXPORT ${name}StaticTargets
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT development
        INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
    set(to ${CMAKE_INSTALL_LIBDIR}/cmake/${name})
    set(made ${PROJECT_BINARY_DIR}/packages)
    foreach(set ${name}Targets ${name}StaticTargets)
        install(EXPORT ${set} NAMESPACE tern:: DESTINATION ${to} COMPONENT development)
    endforeach()
    configure_package_config_file(${PROJECT_SOURCE_DIR}/.cmake/${name}Config.cmake.in ${made}/${name}Config.cmake
        INSTALL_DESTINATION ${to} NO_SET_AND_CHECK_MACRO)
    write_basic_package_version_file(${made}/${name}ConfigVersion.cmake COMPATIBILITY ${TERN_COMPATIBILITY})
    install(FILES ${made}/${name}Config.cmake ${made}/${name}ConfigVersion.cmake DESTINATION ${to}
        COMPONENT development)
    configure_file(${PROJECT_SOURCE_DIR}/.cmake/${name}.pc.in ${made}/${name}.pc @ONLY)
    install(FILES ${made}/${name}.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT development)
endfunction()
