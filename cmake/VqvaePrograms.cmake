# SPDX-License-Identifier: Apache-2.0
# The program vqvae and the examples: users of the public headers, like everybody else.

file(GLOB_RECURSE cli_sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/cli/*.c)
if(cli_sources)
    # Everything but main() is there for tests to link, too.
    list(REMOVE_ITEM cli_sources ${CMAKE_CURRENT_SOURCE_DIR}/cli/main.c)
    add_library(vqvae_cli_flags INTERFACE)
    target_include_directories(vqvae_cli_flags INTERFACE ${CMAKE_CURRENT_SOURCE_DIR}/include
                               ${CMAKE_CURRENT_SOURCE_DIR}/cli)
    target_link_libraries(vqvae_cli_flags INTERFACE PkgConfig::JANSSON Threads::Threads m)
    add_library(vqvae_cli_objects OBJECT ${cli_sources})
    target_link_libraries(vqvae_cli_objects PRIVATE vqvae_cli_flags)
    add_executable(vqvae_cli cli/main.c $<TARGET_OBJECTS:vqvae_cli_objects>)
    set_target_properties(vqvae_cli PROPERTIES OUTPUT_NAME vqvae)
    target_link_libraries(vqvae_cli PRIVATE vqvae_cli_flags vqvae_data vqvae_lib)
    # The installed program finds its libraries beside itself, wherever the prefix lies.
    file(RELATIVE_PATH to_libraries /${CMAKE_INSTALL_BINDIR} /${CMAKE_INSTALL_LIBDIR})
    set_target_properties(vqvae_cli PROPERTIES INSTALL_RPATH "$ORIGIN/${to_libraries}")
endif()

function(vqvae_example target folder source)
    get_filename_component(name ${source} NAME_WE)
    add_executable(${target}_${name} ${source})
    set_target_properties(${target}_${name} PROPERTIES OUTPUT_NAME ${name}
                          RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/${folder})
    target_link_libraries(${target}_${name} PRIVATE vqvae_data vqvae_lib m)
endfunction()

if(VQ_EXAMPLES)
    file(GLOB example_sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/examples/*.c)
    foreach(source ${example_sources})
        vqvae_example(example examples ${source})
    endforeach()
    file(GLOB walk_sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/examples/walk/*.c)
    foreach(source ${walk_sources})
        vqvae_example(walk examples/walk ${source})
    endforeach()
endif()
