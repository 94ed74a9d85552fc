#include "cli/terminal.hpp"

#include <gtest/gtest.h>

#include "cli/printable.hpp"

namespace backstay::cli {
namespace {

TEST(Table, CellsFromOutsideNeitherBeginLinesNorDriveTheTerminal) {
  const std::string hostile =
      "site=a\n::error::gone\r\033[2Jb\033]0;t\007c\x7f\xc2\x9b"
      "2J\xe2\x80\xae"
      "d";
  EXPECT_EQ(table({{"GROUP", "VALUE"}, {hostile, "1"}}),
            "GROUP                                    VALUE\n"
            "site=a ::error::gone ?[2Jb?]0;t?c??2J?d  1\n");
}

TEST(Printable, LeavesOrdinaryTextAlone) {
  EXPECT_EQ(printable("Gr\xc3\xb6\xc3\x9f"
                      "e \xe2\x89\xa5 50 \xf0\x9f\x98\x80"),
            "Gr\xc3\xb6\xc3\x9f"
            "e \xe2\x89\xa5 50 \xf0\x9f\x98\x80");
  EXPECT_EQ(printable("a\033[32mPASS\033[0m"), "a?[32mPASS?[0m");
}

}  // namespace
}  // namespace backstay::cli
