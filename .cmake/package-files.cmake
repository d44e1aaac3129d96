# Run by CPack before it packs: what Debian wants beside what is installed: licence, changelog, compressed pages.
find_program(GZIP gzip REQUIRED)

function(package_file component package)
    set(root ${CPACK_TEMPORARY_DIRECTORY}/${component})
    set(doc ${root}/usr/share/doc/${package})
    file(READ ${CPACK_PACKAGE_DIRECTORY}/debian/licence licence)
    file(WRITE ${doc}/copyright "${licence}")
    file(COPY ${CPACK_PACKAGE_DIRECTORY}/debian/changelog ${CPACK_PACKAGE_DIRECTORY}/debian/changelog.Debian
        DESTINATION ${doc})
    set(pages ${doc}/changelog ${doc}/changelog.Debian)
    file(GLOB more ${root}/usr/share/man/man*/*.[1-9])
    foreach(page ${pages} ${more})
        execute_process(COMMAND ${GZIP} -9nf ${page} COMMAND_ERROR_IS_FATAL ANY)
    endforeach()
    file(GLOB overrides ${CPACK_PACKAGE_DIRECTORY}/debian/overrides.${component})
    if(overrides)
        configure_file(${overrides} ${root}/usr/share/lintian/overrides/${package} COPYONLY)
    endif()
    file(GLOB_RECURSE all LIST_DIRECTORIES true ${root}/*)
    foreach(one ${all}) # whatever the umask was
        if(IS_DIRECTORY ${one} AND NOT IS_SYMLINK ${one})
            file(CHMOD ${one} DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE
                WORLD_READ WORLD_EXECUTE)
        endif()
    endforeach()
endfunction()

package_file(libraries ${CPACK_DEBIAN_LIBRARIES_PACKAGE_NAME})
package_file(development ${CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME})
package_file(programs ${CPACK_DEBIAN_PROGRAMS_PACKAGE_NAME})
