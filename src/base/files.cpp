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

WholeFile::WholeFile(std::string path) : path_(std::move(path)), temporary_(fmt::format("{}.{}.tmp", path_, getpid())) {
  file_ = open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (file_ < 0) give_up();
}

WholeFile::~WholeFile() {
  if (file_ >= 0) close(file_);
  if (!kept_) std::remove(temporary_.c_str());
}

void WholeFile::write_at(uint64_t offset, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t wrote = pwrite(file_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) give_up();
    bytes.remove_prefix(static_cast<size_t>(wrote));
    offset += static_cast<uint64_t>(wrote);
  }
}

void WholeFile::keep(uint64_t size) {
  if (ftruncate(file_, static_cast<off_t>(size)) != 0 || (fsync(file_) != 0 && errno != EINVAL)) give_up();
  if (std::rename(temporary_.c_str(), path_.c_str()) != 0) give_up();
  kept_ = true;
}

void WholeFile::give_up() { fail("cannot write '{}': {}", path_, std::strerror(errno)); }

void write_file(const std::string& path, std::string_view content) {
  WholeFile file(path);
  file.write_at(0, content);
  file.keep(content.size());
}

void make_folders(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  require(!error, "cannot make the folder '{}': {}", path, error.message());
}

}  // namespace burnish
