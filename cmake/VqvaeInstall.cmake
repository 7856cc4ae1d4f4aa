# SPDX-License-Identifier: Apache-2.0
# install, uninstall, find_package(vqvae) and pkg-config.

include(CMakePackageConfigHelpers)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/vqvae)

# libvqvae-data stands on libvqvae, and libvqvae finds oneDNN's backend, wherever they are installed.
set_target_properties(vqvae_data vqvae_lib PROPERTIES INSTALL_RPATH "$ORIGIN")
install(TARGETS vqvae_lib vqvae_data EXPORT vqvae-targets
        RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR}
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
if(TARGET vqvae_onednn)
    install(TARGETS vqvae_onednn LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
endif()
if(TARGET vqvae_cli)
    install(TARGETS vqvae_cli RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
if(TARGET pages)
    set(share ${CMAKE_INSTALL_DATAROOTDIR})
    install(DIRECTORY ${VQVAE_PAGES}/man1 DESTINATION ${CMAKE_INSTALL_MANDIR})
    # Where each shell looks by itself for completions of installed programs.
    install(FILES ${VQVAE_PAGES}/bash/vqvae DESTINATION ${share}/bash-completion/completions)
    install(FILES ${VQVAE_PAGES}/zsh/_vqvae DESTINATION ${share}/zsh/site-functions)
    install(FILES ${VQVAE_PAGES}/fish/vqvae.fish DESTINATION ${share}/fish/vendor_completions.d)
endif()
install(DIRECTORY include/vqvae DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
        FILES_MATCHING PATTERN "*.h")
install(EXPORT vqvae-targets NAMESPACE vqvae:: DESTINATION ${package_dir})

# A static library cannot carry what it stands on, so the package names it.
set(private_libraries jansson xxhash m)
set(private_data_libraries z jpeg archive spng webpdemux webp)
if(VQ_HAVE_ONEDNN AND NOT TARGET vqvae_onednn)
    list(PREPEND private_libraries dnnl)
endif()
list(TRANSFORM private_libraries PREPEND -l OUTPUT_VARIABLE private_flags)
list(APPEND private_flags -pthread)
set(needs_openmp OFF)
if(OpenMP_C_FOUND AND VQ_HAVE_ONEDNN AND NOT TARGET vqvae_onednn)
    set(needs_openmp ON)
    list(APPEND private_flags ${OpenMP_C_FLAGS})
endif()
list(JOIN private_flags " " private_flags)
list(TRANSFORM private_data_libraries PREPEND -l OUTPUT_VARIABLE private_data_flags)
list(JOIN private_data_flags " " private_data_flags)

configure_package_config_file(cmake/vqvae-config.cmake.in vqvae-config.cmake
                              INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(vqvae-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/vqvae-config.cmake
              ${CMAKE_CURRENT_BINARY_DIR}/vqvae-config-version.cmake
        DESTINATION ${package_dir})

# Relative, so that `cmake --install --prefix` and a moved folder work.
file(RELATIVE_PATH up_to_prefix /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
foreach(name vqvae vqvae-data)
    configure_file(cmake/${name}.pc.in ${name}.pc @ONLY)
    install(FILES ${CMAKE_CURRENT_BINARY_DIR}/${name}.pc
            DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endforeach()

configure_file(cmake/uninstall.cmake.in uninstall.cmake @ONLY)
add_custom_target(uninstall COMMAND ${CMAKE_COMMAND} -P ${CMAKE_CURRENT_BINARY_DIR}/uninstall.cmake)
