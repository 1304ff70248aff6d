// A file mapped into memory, read-only.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace burnish {

/// The bytes of a file for as long as the object lives. Pages are read when they are touched.
class MappedFile {
 public:
  /// Throws Error that names the file when it is missing, is no regular file, or cannot be read.
  static std::shared_ptr<const MappedFile> open(const std::string& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::string_view bytes() const { return {static_cast<const char*>(data_), size_}; }
  const std::string& path() const { return path_; }
  /// Gives back the memory of the pages that lie in `part` of bytes(), which was read and will hardly be again; if it is,
  /// they are read anew.
  void forget(std::string_view part) const;

 private:
  MappedFile(std::string path, void* data, size_t size) : path_(std::move(path)), data_(data), size_(size) {}

  std::string path_;
  void* data_;
  size_t size_;
};

}  // namespace burnish
