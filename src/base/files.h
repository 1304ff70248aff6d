// Files read whole, and written whole or not at all.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace burnish {

/// Throws Error naming the file.
std::string read_file(const std::string& path);
bool file_exists(const std::string& path);
/// A file that appears under its name only when it is complete: written beside it, synced and renamed by keep(), and removed
/// otherwise. Every method throws Error naming the file and the system's reason.
class WholeFile {
 public:
  explicit WholeFile(std::string path);
  ~WholeFile();
  WholeFile(const WholeFile&) = delete;
  WholeFile& operator=(const WholeFile&) = delete;
  void write_at(uint64_t offset, std::string_view bytes);
  /// The file ends at `size`; bytes never written are zero.
  void keep(uint64_t size);

 private:
  [[noreturn]] void give_up();

  std::string path_, temporary_;
  int file_ = -1;
  bool kept_ = false;
};

/// Writes the whole file at once.
void write_file(const std::string& path, std::string_view content);
/// Makes the folder and those above it.
void make_folders(const std::string& path);

}  // namespace burnish
