// The engine file: a header, a table of sections, and the sections. docs/design.md section 9.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace burnish::engine {

/// What a section holds. Readers skip the ids that they do not know.
enum class SectionId : uint32_t { metadata = 1, program = 2, weights = 3, code = 4, record = 5, weight_sources = 6 };

std::string section_name(SectionId id);

/// Sections of at least this alignment: weights are used where they are mapped.
inline constexpr uint64_t section_alignment = 4096;
/// The format that this release writes. It reads this one only, and refuses others by name.
inline constexpr uint32_t format_version = 1;

/// One section to write; `pieces` are written one behind the other without being copied first.
struct SectionData {
  SectionId id = SectionId::metadata;
  bool compress = false;  ///< zstd; only for sections of one piece
  std::vector<std::string_view> pieces;
};

/// Writes the file whole or not at all. Throws Error naming it.
void write_sections(const std::string& path, const std::vector<SectionData>& sections);

/// Sections of a file, checked: magic, version, lengths, offsets, hashes.
class SectionFile {
 public:
  /// Maps the file. Throws Error naming the file and the section that is wrong.
  static SectionFile open(const std::string& path);
  /// The same for bytes that outlive this object.
  static SectionFile parse(std::string_view bytes, std::shared_ptr<const void> owner);

  /// The uncompressed bytes; throws Error if there is no such section.
  std::string_view section(SectionId id) const;
  /// The same; empty if there is no such section.
  std::string_view optional_section(SectionId id) const;
  const std::shared_ptr<const void>& owner() const { return owner_; }

 private:
  struct Entry {
    uint32_t id;
    std::string_view bytes;
  };
  std::vector<Entry> entries_;
  std::vector<std::shared_ptr<std::string>> uncompressed_;
  std::shared_ptr<const void> owner_;
};

}  // namespace burnish::engine
