# SPDX-License-Identifier: Apache-2.0
# libvqvae from every layer of src/ but data, libvqvae-data from src/data.

set(root ${CMAKE_CURRENT_SOURCE_DIR})

# Sources are found by looking, so that a new operation or kernel needs no edit here.
foreach(layer base kernels tensor nn quantize model train prior codec interop)
    file(GLOB_RECURSE layer_sources CONFIGURE_DEPENDS ${root}/src/${layer}/*.c)
    list(APPEND core_sources ${layer_sources})
endforeach()
file(GLOB_RECURSE data_sources CONFIGURE_DEPENDS ${root}/src/data/*.c)
file(GLOB base_sources CONFIGURE_DEPENDS ${root}/src/base/*.c ${root}/src/tensor/*.c)
file(GLOB ops_sources CONFIGURE_DEPENDS ${root}/src/nn/ops/*.c ${root}/src/quantize/*.c)
file(GLOB onednn_sources CONFIGURE_DEPENDS ${root}/src/nn/onednn/*.c)
list(FILTER core_sources EXCLUDE REGEX "/src/nn/onednn[/_]")
set(empty_source ${CMAKE_CURRENT_BINARY_DIR}/empty.c)
file(CONFIGURE OUTPUT ${empty_source} CONTENT "typedef int vq_empty;\n")

# What every internal C file, the tests' included, is compiled with.
add_library(vqvae_internal_flags INTERFACE)
target_include_directories(vqvae_internal_flags INTERFACE ${root}/include ${root}/src)
target_link_libraries(vqvae_internal_flags INTERFACE Threads::Threads PkgConfig::JANSSON
                      PkgConfig::XXHASH m)
target_link_libraries(vqvae_internal_flags INTERFACE ${CMAKE_DL_LIBS})
add_library(vqvae_data_flags INTERFACE)
target_link_libraries(vqvae_data_flags INTERFACE vqvae_internal_flags ZLIB::ZLIB JPEG::JPEG
                      LibArchive::LibArchive PkgConfig::SPNG PkgConfig::WEBP)

function(vqvae_objects name flags)
    add_library(${name} OBJECT ${ARGN} ${empty_source})
    target_link_libraries(${name} PRIVATE ${flags})
endfunction()
vqvae_objects(vqvae_core_objects vqvae_internal_flags ${core_sources})
vqvae_objects(vqvae_ops_double vqvae_internal_flags ${ops_sources})
target_compile_definitions(vqvae_ops_double PRIVATE VQ_REAL_DOUBLE=1)
vqvae_objects(vqvae_data_objects vqvae_data_flags ${data_sources})

# oneDNN's backend is part of archives and of what tests link. Beside a shared libvqvae it is a
# library of its own, loaded when a plan asks for it.
add_library(vqvae_onednn_flags INTERFACE)
target_link_libraries(vqvae_onednn_flags INTERFACE vqvae_internal_flags)
set(onednn_link ${root}/src/nn/onednn_absent.c)
set(onednn_library_link ${onednn_link})
set(onednn_library_flags vqvae_onednn_flags)
if(VQ_HAVE_ONEDNN)
    target_compile_definitions(vqvae_onednn_flags INTERFACE VQ_HAVE_ONEDNN=1)
    target_link_libraries(vqvae_onednn_flags INTERFACE DNNL::dnnl)
    if(OpenMP_C_FOUND) # on whose threads oneDNN runs
        target_link_libraries(vqvae_onednn_flags INTERFACE OpenMP::OpenMP_C)
    endif()
    vqvae_objects(vqvae_onednn_objects vqvae_onednn_flags ${onednn_sources})
    set(onednn_link ${root}/src/nn/onednn_built_in.c $<TARGET_OBJECTS:vqvae_onednn_objects>)
    set(onednn_library_link ${onednn_link})
    if(BUILD_SHARED_LIBS AND UNIX AND NOT APPLE)
        set(onednn_library_link ${root}/src/nn/onednn_loaded.c)
        set(onednn_library_flags vqvae_internal_flags)
    endif()
endif()

# Tests of internals link this archive: the libraries hide what they test.
add_library(vqvae_internal STATIC $<TARGET_OBJECTS:vqvae_core_objects>
            $<TARGET_OBJECTS:vqvae_ops_double> $<TARGET_OBJECTS:vqvae_data_objects>
            ${onednn_link})
target_link_libraries(vqvae_internal PUBLIC vqvae_data_flags vqvae_onednn_flags)

function(vqvae_library name output)
    add_library(${name} ${ARGN})
    add_library(vqvae::${output} ALIAS ${name})
    set_target_properties(${name} PROPERTIES
        VERSION ${PROJECT_VERSION}
        # Before 1.0 a minor version may break the interface.
        SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
    target_include_directories(${name} PUBLIC $<BUILD_INTERFACE:${root}/include>
                               $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
endfunction()

vqvae_library(vqvae_lib core $<TARGET_OBJECTS:vqvae_core_objects>
              $<TARGET_OBJECTS:vqvae_ops_double> ${onednn_library_link})
target_link_libraries(vqvae_lib PRIVATE $<BUILD_INTERFACE:${onednn_library_flags}>)
set_target_properties(vqvae_lib PROPERTIES OUTPUT_NAME vqvae EXPORT_NAME vqvae)

vqvae_library(vqvae_data data $<TARGET_OBJECTS:vqvae_data_objects>)
set_target_properties(vqvae_data PROPERTIES OUTPUT_NAME vqvae-data EXPORT_NAME data)
if(BUILD_SHARED_LIBS)
    # libvqvae hides its inside, so libvqvae-data brings its own copy of the lowest layers, which
    # hold no state, and hides them too.
    add_library(vqvae_base_archive STATIC ${base_sources} ${empty_source})
    target_link_libraries(vqvae_base_archive PRIVATE vqvae_internal_flags)
    function(vqvae_own_base library)
        target_link_libraries(${library} PRIVATE $<BUILD_INTERFACE:vqvae_base_archive>)
        if(UNIX AND NOT APPLE)
            target_link_options(${library} PRIVATE
                                -Wl,--exclude-libs,$<TARGET_FILE_NAME:vqvae_base_archive>)
        endif()
    endfunction()
    vqvae_own_base(vqvae_data)
endif()
if(onednn_library_link MATCHES "onednn_loaded")
    # Its name has the whole version: no interface joins it to another libvqvae.
    set(onednn_file libvqvae-onednn.so.${PROJECT_VERSION})
    add_library(vqvae_onednn MODULE $<TARGET_OBJECTS:vqvae_onednn_objects>)
    target_link_libraries(vqvae_onednn PRIVATE vqvae_onednn_flags)
    set_target_properties(vqvae_onednn PROPERTIES OUTPUT_NAME vqvae-onednn
                          SUFFIX .so.${PROJECT_VERSION})
    vqvae_own_base(vqvae_onednn)
    if(NOT VQ_SANITIZE) # whose runtime is the program's
        target_link_options(vqvae_onednn PRIVATE -Wl,-z,defs)
    endif()
    target_compile_definitions(vqvae_lib PRIVATE VQ_ONEDNN_LIBRARY="${onednn_file}")
    set_target_properties(vqvae_lib PROPERTIES BUILD_RPATH "$ORIGIN")
    add_dependencies(vqvae_lib vqvae_onednn)
endif()
target_link_libraries(vqvae_data PUBLIC vqvae_lib
                      PRIVATE $<BUILD_INTERFACE:vqvae_data_flags>)
