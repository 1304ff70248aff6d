#include "base/mapped_file.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace burnish {
namespace {

/// Megabytes of files that the process holds in memory (RssFile).
double resident_file_megabytes() {
  std::ifstream file("/proc/self/status");
  for (std::string word; file >> word;)
    if (double kilobytes = 0; word == "RssFile:" && file >> kilobytes) return kilobytes / 1024;
  return -1;
}

TEST(MappedFile, ForgetsMemoryButNoBytes) {
  const std::filesystem::path path = std::filesystem::path(testing::TempDir()) / "forgotten.bin";
  std::string content(std::size_t{32} << 20, '\0');
  for (size_t i = 0; i < content.size(); ++i) content[i] = static_cast<char>(i * 2654435761u >> 13);
  std::ofstream(path, std::ios::binary) << content;
  const auto file = MappedFile::open(path.string());
  ASSERT_TRUE(file->bytes() == content);
  const double before = resident_file_megabytes();
  file->forget(file->bytes().substr(5, content.size() - 11));
  const double after = resident_file_megabytes();
  if (before >= 0) {
    EXPECT_LT(after, before - 30);
  }
  EXPECT_TRUE(file->bytes() == content);
  file->forget(file->bytes().substr(100, 0));
  file->forget(file->bytes().substr(4097, 20));  // less than a page
  EXPECT_TRUE(file->bytes() == content);
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace burnish
