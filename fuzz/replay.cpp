// Replays a corpus without a fuzzer: every file of the folders given goes through the target once.
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <string>

#include "base/files.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

int main(int argc, char** argv) {
  int files = 0;
  for (int i = 1; i < argc; ++i) {
    for (const auto& entry : std::filesystem::directory_iterator(argv[i])) {
      const std::string path = entry.path().string(), bytes = burnish::read_file(path);
      std::printf("%s\n", path.c_str());
      std::fflush(stdout);  // the last line names the file that does not come back
      LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
      ++files;
    }
  }
  std::printf("%d files replayed\n", files);
  return files == 0;
}
