# Compiler options common to every target: warnings are errors, sanitizers come from the preset.
option(BACKSTAY_WERROR "Treat warnings as errors" ON)
set(BACKSTAY_SANITIZE "" CACHE STRING "Sanitizers to build with: address,undefined or thread")

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
  set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
endif()

# A library that a program calls nothing of is not loaded: every start would pay for it.
add_link_options(-Wl,--as-needed)

add_library(backstay_options INTERFACE)
target_compile_options(backstay_options INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wnon-virtual-dtor
                       -Wold-style-cast -Woverloaded-virtual -fno-omit-frame-pointer)
if(BACKSTAY_WERROR)
  target_compile_options(backstay_options INTERFACE -Werror)
endif()
if(BACKSTAY_SANITIZE)
  target_compile_options(backstay_options INTERFACE -fsanitize=${BACKSTAY_SANITIZE} -fno-sanitize-recover=all)
  target_link_options(backstay_options INTERFACE -fsanitize=${BACKSTAY_SANITIZE})
else()
  target_compile_definitions(backstay_options INTERFACE $<$<CONFIG:RelWithDebInfo,Release>:_FORTIFY_SOURCE=2>)
  target_compile_options(backstay_options INTERFACE -fstack-protector-strong)
endif()
