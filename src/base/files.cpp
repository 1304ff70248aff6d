#include "base/files.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/error.h"

namespace burnish {

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  require(file.good(), "cannot open '{}': {}", path, std::strerror(errno));
  std::ostringstream content;
  content << file.rdbuf();
  require(!file.bad(), "cannot read '{}'", path);
  return content.str();
}

bool file_exists(const std::string& path) {
  std::error_code error;
  return std::filesystem::exists(path, error);
}

void write_file(const std::string& path, std::string_view content) {
  const std::string temporary = fmt::format("{}.{}.tmp", path, getpid());
  const int file = open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  require(file >= 0, "cannot write '{}': {}", path, std::strerror(errno));
  int reason = 0;
  for (size_t done = 0; done < content.size() && reason == 0;) {
    const ssize_t wrote = write(file, content.data() + done, content.size() - done);
    if (wrote >= 0) done += static_cast<size_t>(wrote);
    else if (errno != EINTR) reason = errno;
  }
  if (reason == 0 && fsync(file) != 0 && errno != EINVAL) reason = errno;
  if (close(file) != 0 && reason == 0) reason = errno;
  if (reason == 0 && std::rename(temporary.c_str(), path.c_str()) != 0) reason = errno;
  if (reason != 0) {
    std::remove(temporary.c_str());
    fail("cannot write '{}': {}", path, std::strerror(reason));
  }
}

void make_folders(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  require(!error, "cannot make the folder '{}': {}", path, error.message());
}

}  // namespace burnish
