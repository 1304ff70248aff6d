# `cmake --install build --prefix DIR --component burnish`: the tool, the libraries, the headers, and what find_package(burnish)
# reads. (A wheel has the component python: python/CMakeLists.txt.)
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

set(installed burnish_library burnish_runtime_library)
if(TARGET burnish_cuda)
  list(APPEND installed burnish_cuda)
endif()
# Beside the libraries (in a wheel the tool lies there too), or in bin/ beside lib/.
set_target_properties(${installed} PROPERTIES INSTALL_RPATH $ORIGIN)
set_target_properties(burnish_tool PROPERTIES INSTALL_RPATH "$ORIGIN;$ORIGIN/../${CMAKE_INSTALL_LIBDIR}")

install(TARGETS burnish_tool ${installed} RUNTIME COMPONENT burnish LIBRARY COMPONENT burnish)
install(DIRECTORY include/burnish TYPE INCLUDE COMPONENT burnish)

set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/burnish)
configure_package_config_file(cmake/burnishConfig.cmake.in ${PROJECT_BINARY_DIR}/burnishConfig.cmake
  INSTALL_DESTINATION ${package_folder} PATH_VARS CMAKE_INSTALL_INCLUDEDIR CMAKE_INSTALL_LIBDIR)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/burnishConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/burnishConfig.cmake ${PROJECT_BINARY_DIR}/burnishConfigVersion.cmake
  DESTINATION ${package_folder} COMPONENT burnish)
