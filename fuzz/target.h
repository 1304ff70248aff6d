// What the fuzz targets share: bad input may give an Error and nothing else.
#pragma once

#include <burnish/error.h>
#include <stdlib.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

namespace burnish::fuzz {

/// Runs `body`; an Error with a message is an answer. Any other exception leaves, which the fuzzer reports.
/// True if there was none.
template <class Body>
bool expect_error_or_success(Body&& body) {
  try {
    body();
    return true;
  } catch (const Error& error) {
    if (error.message().empty()) std::abort();
    return false;
  }
}

/// A finding unless both texts are the same.
inline void expect_equal(std::string_view expected, std::string_view given) {
  if (expected == given) return;
  std::fprintf(stderr, "expected:\n%.*s\ngiven:\n%.*s\n", static_cast<int>(expected.size()), expected.data(),
               static_cast<int>(given.size()), given.data());
  std::abort();
}

/// A folder of this process alone, in TMPDIR, removed when it ends.
class ScratchFolder {
 public:
  ScratchFolder() : path_(std::filesystem::temp_directory_path() / "burnish-fuzz-XXXXXX") {
    if (!mkdtemp(path_.data())) std::abort();
  }
  ~ScratchFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  ScratchFolder(const ScratchFolder&) = delete;
  std::string file(const char* name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

/// Makes the file anew, with these bytes.
inline void write_bytes(const std::string& path, const uint8_t* data, size_t size) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(size));
  if (!file.flush()) std::abort();
}

}  // namespace burnish::fuzz
