#include "capture/linux_machine.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <fstream>

#include "base/temporary_folder.hpp"

namespace backstay::capture {
namespace {

namespace fs = std::filesystem;

class LinuxMachineTest : public ::testing::Test {
 protected:
  void write(const std::string& path, const std::string& text) {
    fs::create_directories((folder / path).parent_path());
    std::ofstream(folder / path) << text;
  }
  const TemporaryFolder temporary;
  const fs::path folder = temporary.path();
};

TEST_F(LinuxMachineTest, TellsSystemProcessorsMemoryAndGpus) {
  write("etc/os-release", "NAME=\"Debian\"\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n");
  write("proc/cpuinfo", "processor\t: 0\nmodel name\t: Fast CPU\n\nprocessor\t: 1\nmodel name\t: Fast CPU\n");
  write("proc/meminfo", "MemTotal:        8152432 kB\nMemFree: 1 kB\n");
  write("proc/driver/nvidia/gpus/0/information", "Model: \t\t NVIDIA A100\nIRQ: 1\n");
  write("proc/driver/nvidia/gpus/1/information", "Model: \t\t NVIDIA A100\n");
  LinuxMachine machine(folder);
  EXPECT_TRUE(machine.os().starts_with("Debian GNU/Linux 12 (bookworm), "));
  EXPECT_EQ(machine.hardware(), "2 x Fast CPU, 8 GiB, 2 x NVIDIA A100");
}

TEST_F(LinuxMachineTest, SaysNothingWhereNothingIsKnown) {
  LinuxMachine machine(folder);
  EXPECT_EQ(machine.os(), "");
  EXPECT_EQ(machine.hardware(), "");
}

TEST_F(LinuxMachineTest, AsksAnInterpreterAndRefusesWhatIsNone) {
  LinuxMachine machine;
  const auto python = machine.python("/usr/bin/python3");
  ASSERT_TRUE(python) << python.error().message;
  EXPECT_TRUE(python->version.starts_with("3."));
  EXPECT_FALSE(machine.python("/bin/echo"));
  EXPECT_EQ(machine.python("/no/such").error().code, ErrorCode::kNotFound);
}

}  // namespace
}  // namespace backstay::capture
