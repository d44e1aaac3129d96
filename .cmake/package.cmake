# Debian packages by CPack: the libraries, what builds with them, and the programs. tests/package.sh makes them,
# installs them in a clean root and copies a file there.
if(NOT TERN_INSTALL OR NOT TERN_APPS)
    return()
endif()
set(library libtern${TERN_SOVERSION})
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME tern)
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_CONTACT "tern authors <tern@localhost>" CACHE STRING "Who makes the packages: name and address")
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(version ${PROJECT_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE})
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "encrypted, reliable transport over UDP")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_COMPONENTS_ALL libraries development programs)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_SECTION libs)
set(CPACK_PRE_BUILD_SCRIPTS ${PROJECT_SOURCE_DIR}/.cmake/package-files.cmake)
set(debian ${PROJECT_BINARY_DIR}/debian)

# Read again when the packages are made.
file(READ ${PROJECT_SOURCE_DIR}/LICENSE licence)
file(WRITE ${debian}/licence "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: tern

Files: *
")
string(REGEX MATCH "Copyright [^\n]*" holder "${licence}")
string(REGEX REPLACE "^Copyright (\\(c\\) )?" "Copyright: " holder "${holder}")
file(APPEND ${debian}/licence "${holder}\nLicense: Expat\n")
string(REGEX REPLACE "^.*(Permission is hereby)" "\\1" licence "${licence}")
string(STRIP "${licence}" licence)
string(REGEX REPLACE "\n\n" "\n.\n" licence "${licence}")
string(REGEX REPLACE "\n" "\n " licence "${licence}")
file(APPEND ${debian}/licence " ${licence}\n")
file(READ ${PROJECT_SOURCE_DIR}/CHANGELOG.md changes)
file(WRITE ${debian}/changelog "${changes}")
string(TIMESTAMP day "%a, %d %b %Y %H:%M:%S +0000" UTC) # of SOURCE_DATE_EPOCH, where that is set
file(WRITE ${debian}/changelog.Debian "tern (${version}) unstable; urgency=medium

  * Made by CPack of tern's own build; changelog.gz tells of tern.

 -- ${CPACK_PACKAGE_CONTACT}  ${day}
")
# The three libraries change their soname together.
file(WRITE ${debian}/overrides.libraries "${library}: package-name-doesnt-match-sonames *\n")

set(CPACK_DEBIAN_LIBRARIES_PACKAGE_NAME ${library})
set(CPACK_COMPONENT_LIBRARIES_DESCRIPTION "shared libraries
 libtern is encrypted, reliable transport over UDP without I/O of its own:
 streams and messages, a Noise handshake, recovery from losses. libtern-ev
 is its UDP driver with a binding to libev, libtern-sim its simulator.")
file(WRITE ${debian}/triggers "activate-noawait ldconfig\n")
set(shlibs)
foreach(name libtern libtern-ev libtern-sim)
    string(APPEND shlibs "${name} ${TERN_SOVERSION} ${library} (>= ${PROJECT_VERSION})\n")
endforeach()
file(WRITE ${debian}/shlibs "${shlibs}")
set(CPACK_DEBIAN_LIBRARIES_PACKAGE_CONTROL_EXTRA ${debian}/triggers ${debian}/shlibs)

set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME libtern-dev)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
set(CPACK_COMPONENT_DEVELOPMENT_DESCRIPTION "what builds with it
 Headers, static libraries, pkg-config files and CMake packages of libtern,
 libtern-ev and libtern-sim.")
# What <tern/ev.h> includes, and what the static library leaves to others.
set(needs "${library} (= ${version}), libev-dev, libsodium-dev")
if(TERN_PC_REQUIRES)
    string(APPEND needs ", nettle-dev")
endif()
if(TERN_PC_LIBS)
    string(APPEND needs ", libipsec-mb-dev")
endif()
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS "${needs}")
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SHLIBDEPS OFF)

set(CPACK_DEBIAN_PROGRAMS_PACKAGE_NAME tern-apps)
set(CPACK_DEBIAN_PROGRAMS_PACKAGE_SECTION net)
set(CPACK_COMPONENT_PROGRAMS_DESCRIPTION "copying, talking and measuring
 terncp copies files, encrypted and verified, over any network; ternchat is
 for talk in rooms that the server cannot read; ternperf measures what a path
 carries. With manual pages, completions and units for systemd.")
include(CPack)
