# SPDX-License-Identifier: Apache-2.0
# The program vqvae and the examples: users of the public headers, like everybody else.

file(GLOB_RECURSE cli_sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/cli/*.c)
if(cli_sources)
    # Everything but main() is there for tests to link, too.
    list(REMOVE_ITEM cli_sources ${CMAKE_CURRENT_SOURCE_DIR}/cli/main.c)
    set(page_sources ${cli_sources})
    list(FILTER cli_sources EXCLUDE REGEX "/cli/pages/")
    list(FILTER page_sources INCLUDE REGEX "/cli/pages/")
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

    # Manual pages and completions are written by a program that has the same tables of options,
    # so where programs cannot be run they are left out.
    if(NOT CMAKE_CROSSCOMPILING OR CMAKE_CROSSCOMPILING_EMULATOR)
        set(VQVAE_PAGES ${CMAKE_CURRENT_BINARY_DIR}/pages)
        add_executable(vqvae_pages ${page_sources} $<TARGET_OBJECTS:vqvae_cli_objects>)
        target_link_libraries(vqvae_pages PRIVATE vqvae_cli_flags vqvae_data vqvae_lib)
        add_custom_command(OUTPUT ${VQVAE_PAGES}.made
            COMMAND ${CMAKE_COMMAND} -E rm -rf ${VQVAE_PAGES}
            COMMAND vqvae_pages ${VQVAE_PAGES}
            COMMAND ${CMAKE_COMMAND} -E touch ${VQVAE_PAGES}.made
            DEPENDS vqvae_pages COMMENT "Writing manual pages and completions" VERBATIM)
        add_custom_target(pages ALL DEPENDS ${VQVAE_PAGES}.made)
    endif()
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
