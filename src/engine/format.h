// The bytes of an engine file: docs/design.md section 9. Readers and writers use engine/file.h.
#pragma once

#include <cstdint>
#include <vector>

namespace burnish::engine {

inline constexpr char magic[8] = {'B', 'U', 'R', 'N', 'I', 'S', 'H', '\n'};

/// All numbers are little-endian, as on every machine that Burnish runs on.
struct Header {
  char magic[8];
  uint32_t version, sections;
  uint64_t file_bytes;
  uint64_t checksum;  ///< of the table, and of this header with the checksum 0
};

enum class Codec : uint32_t { none = 0, zstd = 1 };

/// One per section, right behind the header.
struct TableEntry {
  uint32_t id;
  Codec codec;
  uint64_t offset, size, raw_size, hash;  ///< size: as it lies in the file; raw_size: uncompressed
};

uint64_t table_checksum(Header header, const std::vector<TableEntry>& table);
/// Of a section's bytes as they lie in the file.
uint64_t section_hash(const void* bytes, uint64_t size);

}  // namespace burnish::engine
