# backstay_module(NAME SOURCE_DIR_RELATIVE_NAME USES other modules... LINKS external targets...)
#
# One call per folder under src/. Every *.cpp but *_test.cpp and *_main.cpp becomes the static library backstay_<name>; every *_test.cpp goes
# into one test executable <name>_test. USES is the layering rule: tests/layering_test.py reads these calls and refuses an
# #include of a module that is not named here.
function(backstay_module name)
  cmake_parse_arguments(ARG "" "" "USES;LINKS;TEST_USES;TEST_LINKS" ${ARGN})
  string(REPLACE "/" "_" id ${name})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  set(tests ${sources})
  list(FILTER tests INCLUDE REGEX "_test\\.cpp$")
  list(FILTER sources EXCLUDE REGEX "_test\\.cpp$")
  list(FILTER sources EXCLUDE REGEX "_main\\.cpp$")

  set(used)
  foreach(other ${ARG_USES})
    string(REPLACE "/" "_" other_id ${other})
    list(APPEND used backstay_${other_id})
  endforeach()

  if(sources)
    add_library(backstay_${id} STATIC ${sources})
    target_include_directories(backstay_${id} PUBLIC ${CMAKE_SOURCE_DIR}/src)
    target_link_libraries(backstay_${id} PUBLIC ${used} ${ARG_LINKS} PRIVATE backstay_options)
  else()
    add_library(backstay_${id} INTERFACE)
    target_include_directories(backstay_${id} INTERFACE ${CMAKE_SOURCE_DIR}/src)
    target_link_libraries(backstay_${id} INTERFACE ${used} ${ARG_LINKS})
  endif()

  if(tests)
    set(test_used)
    foreach(other ${ARG_TEST_USES})
      string(REPLACE "/" "_" other_id ${other})
      list(APPEND test_used backstay_${other_id})
    endforeach()
    add_executable(${id}_test ${tests})
    target_link_libraries(${id}_test PRIVATE backstay_${id} ${test_used} ${ARG_TEST_LINKS} backstay_options
                          GTest::gmock GTest::gtest_main)
    add_test(NAME ${id} COMMAND ${id}_test)
  endif()
endfunction()
