# A room is a folder of lib/. Each is an object library that sees only the rooms named in SEES:
# its include path is a folder of links to them, so a forbidden include does not even compile.
function(tern_room name)
    cmake_parse_arguments(ROOM "" "" "SOURCES;SEES" ${ARGN})
    set(view ${PROJECT_BINARY_DIR}/views/${name})
    file(REMOVE_RECURSE ${view})
    file(MAKE_DIRECTORY ${view})
    foreach(room ${name} ${ROOM_SEES})
        file(CREATE_LINK ${PROJECT_SOURCE_DIR}/lib/${room} ${view}/${room} SYMBOLIC)
    endforeach()
    add_library(tern_${name} OBJECT ${ROOM_SOURCES})
    target_include_directories(tern_${name} PRIVATE ${view} ${PROJECT_SOURCE_DIR}/include)
    target_link_libraries(tern_${name} PRIVATE tern_flags PkgConfig::SODIUM tern_hashes tern_ciphers)
endfunction()

# A cmocka program tests/unit/<room>/test_<file>.c. Each cmocka_unit_test in it becomes a ctest
# entry "<label>.<file>.<test>" that runs that one test. ROOMS are the object libraries it links,
# ALSO further labels.
function(tern_cmocka_test file)
    cmake_parse_arguments(T "" "LABEL;TIMEOUT" "ROOMS;LIBS;SOURCES;ALSO" ${ARGN})
    if(NOT T_LABEL)
        set(T_LABEL unit)
    endif()
    if(NOT T_TIMEOUT)
        set(T_TIMEOUT 120)
    endif()
    if(CMAKE_CROSSCOMPILING)
        math(EXPR T_TIMEOUT "${T_TIMEOUT} * 10") # an emulator's pace
    endif()
    set(target test_${file})
    set(source ${CMAKE_CURRENT_SOURCE_DIR}/test_${file}.c)
    add_executable(${target} ${source} ${T_SOURCES})
    set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
    target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/lib
        ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/tests)
    foreach(room ${T_ROOMS})
        target_sources(${target} PRIVATE $<TARGET_OBJECTS:tern_${room}>)
    endforeach()
    target_link_libraries(${target} PRIVATE tern_flags ${T_LIBS} PkgConfig::SODIUM tern_hashes tern_ciphers
        PkgConfig::CMOCKA m)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${source})
    file(READ ${source} text)
    string(REGEX MATCHALL "cmocka_unit_test[a-z_]*\\([a-zA-Z0-9_]+" entries "${text}")
    if(NOT entries)
        message(FATAL_ERROR "${source} has no cmocka_unit_test")
    endif()
    foreach(entry ${entries})
        string(REGEX REPLACE ".*\\(" "" name "${entry}")
        add_test(NAME ${T_LABEL}.${file}.${name} COMMAND ${target} ${name})
        set_tests_properties(${T_LABEL}.${file}.${name} PROPERTIES LABELS "${T_LABEL};${T_ALSO}"
            TIMEOUT ${T_TIMEOUT})
    endforeach()
endfunction()
