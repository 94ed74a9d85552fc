#pragma once

#include <cstdio>
#include <cstdlib>

/// Ends the program when a property does not hold; in every build, unlike assert.
#define CHECK(property)                                                                  \
  do {                                                                                   \
    if (!(property)) {                                                                   \
      std::fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #property); \
      std::abort();                                                                      \
    }                                                                                    \
  } while (false)
