# What a program says of its command line, made out of PROGRAM.cli: the header that it is built with, its
# man page, and completions for bash, zsh and fish.
set(TERN_ZSH_FOLDER site-functions CACHE STRING "Below share/zsh: where completions go (Debian: vendor-completions)")
find_program(TERN_AWK NAMES awk mawk gawk nawk REQUIRED)
set(TERN_CLI_AWK ${PROJECT_SOURCE_DIR}/apps/shared/cli.awk)

function(tern_cli_target program)
    set(source ${CMAKE_CURRENT_SOURCE_DIR}/${program}.cli)
    set(made ${CMAKE_CURRENT_BINARY_DIR}/made)
    set(outputs)
    foreach(pair header:${program}_cli.h man:${program}.1 bash:${program}.bash zsh:_${program}
            fish:${program}.fish)
        string(REPLACE ":" ";" pair ${pair})
        list(GET pair 0 what)
        list(GET pair 1 file)
        add_custom_command(OUTPUT ${made}/${file}
            COMMAND ${CMAKE_COMMAND} -E make_directory ${made}
            COMMAND ${TERN_AWK} -v what=${what} -v version=${PROJECT_VERSION} -f ${TERN_CLI_AWK}
                ${source} > ${made}/${file}
            DEPENDS ${source} ${TERN_CLI_AWK} VERBATIM)
        list(APPEND outputs ${made}/${file})
    endforeach()
    add_custom_target(${program}_cli ALL DEPENDS ${outputs})
    add_dependencies(${program} ${program}_cli)
    target_include_directories(${program} PRIVATE ${made})
    install(FILES ${made}/${program}.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT programs)
    install(FILES ${made}/${program}.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions
        COMPONENT programs RENAME ${program})
    install(FILES ${made}/_${program} DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/${TERN_ZSH_FOLDER} COMPONENT programs)
    install(FILES ${made}/${program}.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d
        COMPONENT programs)
endfunction()
