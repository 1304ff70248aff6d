#include "engine/file.h"

#include <xxhash.h>
#include <zstd.h>

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "base/files.h"
#include "base/mapped_file.h"
#include "engine/format.h"

namespace burnish::engine {
namespace {

constexpr uint32_t most_sections = 64;
/// Nothing but weights is larger, so a hostile length is caught before memory is asked for.
constexpr uint64_t largest_uncompressed = uint64_t{1} << 32;

uint64_t aligned(uint64_t offset) { return (offset + section_alignment - 1) / section_alignment * section_alignment; }

}  // namespace

uint64_t table_checksum(Header header, const std::vector<TableEntry>& table) {
  header.checksum = 0;
  const uint64_t seed = XXH3_64bits(&header, sizeof header);
  return XXH3_64bits_withSeed(table.data(), table.size() * sizeof(TableEntry), seed);
}

uint64_t section_hash(const void* bytes, uint64_t size) { return XXH3_64bits(bytes, size); }

std::string section_name(SectionId id) {
  switch (id) {
    case SectionId::metadata: return "metadata";
    case SectionId::program: return "program";
    case SectionId::weights: return "weights";
    case SectionId::code: return "code";
    case SectionId::record: return "record";
    case SectionId::weight_sources: return "weight_sources";
  }
  return fmt::format("section {}", static_cast<uint32_t>(id));
}

void write_sections(const std::string& path, const std::vector<SectionData>& sections) {
  WholeFile file(path);
  Header header{};
  std::memcpy(header.magic, magic, sizeof magic);
  header.version = format_version;
  header.sections = static_cast<uint32_t>(sections.size());
  std::vector<TableEntry> table;
  uint64_t end = sizeof(Header) + sections.size() * sizeof(TableEntry);
  for (const SectionData& section : sections) {
    TableEntry entry{static_cast<uint32_t>(section.id), section.compress ? Codec::zstd : Codec::none, aligned(end), 0, 0, 0};
    std::string packed;
    std::vector<std::string_view> pieces = section.pieces;
    for (std::string_view piece : pieces) entry.raw_size += piece.size();
    if (section.compress) {
      require(pieces.size() == 1, "internal: a compressed section has one piece");
      packed.resize(ZSTD_compressBound(pieces[0].size()));
      const size_t size = ZSTD_compress(packed.data(), packed.size(), pieces[0].data(), pieces[0].size(), 9);
      require(!ZSTD_isError(size), "internal: zstd: {}", ZSTD_getErrorName(size));
      packed.resize(size);
      pieces = {packed};
    }
    XXH3_state_t* hash = XXH3_createState();
    XXH3_64bits_reset(hash);
    for (std::string_view piece : pieces) {
      file.write_at(entry.offset + entry.size, piece);
      XXH3_64bits_update(hash, piece.data(), piece.size());
      entry.size += piece.size();
    }
    entry.hash = XXH3_64bits_digest(hash);
    XXH3_freeState(hash);
    end = entry.offset + entry.size;
    table.push_back(entry);
  }
  header.file_bytes = end;
  header.checksum = table_checksum(header, table);
  file.write_at(0, {reinterpret_cast<const char*>(&header), sizeof header});
  file.write_at(sizeof header, {reinterpret_cast<const char*>(table.data()), table.size() * sizeof(TableEntry)});
  file.keep(end);
}

SectionFile SectionFile::open(const std::string& path) {
  return with_context([&] { return fmt::format("engine '{}'", path); }, [&] {
    const std::shared_ptr<const MappedFile> mapped = MappedFile::open(path);
    return parse(mapped->bytes(), mapped);
  });
}

SectionFile SectionFile::parse(std::string_view bytes, std::shared_ptr<const void> owner) {
  Header header;
  require(bytes.size() >= sizeof header, "the file is too short to be an engine");
  std::memcpy(&header, bytes.data(), sizeof header);
  require(std::memcmp(header.magic, magic, sizeof magic) == 0, "this is not an engine of Burnish (make one with 'burnish build MODEL -o ENGINE')");
  require(header.version == format_version, "the file has format {}, this release reads format {}: build the engine again", header.version, format_version);
  require(header.file_bytes == bytes.size(), "the file has {} bytes where its header says {}: it was cut off or changed", bytes.size(), header.file_bytes);
  require(header.sections <= most_sections && sizeof header + header.sections * sizeof(TableEntry) <= bytes.size(), "the table of sections is damaged");
  std::vector<TableEntry> table(header.sections);
  if (!table.empty()) std::memcpy(table.data(), bytes.data() + sizeof header, table.size() * sizeof(TableEntry));
  require(header.checksum == table_checksum(header, table), "the table of sections is damaged: its checksum is wrong");

  SectionFile file;
  file.owner_ = std::move(owner);
  for (const TableEntry& entry : table) {
    const std::string name = section_name(static_cast<SectionId>(entry.id));
    require(entry.offset <= bytes.size() && entry.size <= bytes.size() - entry.offset && entry.offset % section_alignment == 0, "section '{}' lies outside the file", name);
    const std::string_view content = bytes.substr(entry.offset, entry.size);
    require(section_hash(content.data(), content.size()) == entry.hash, "section '{}' is damaged: its hash is wrong", name);
    if (entry.codec == Codec::none) {
      file.entries_.push_back({entry.id, content});
      continue;
    }
    require(entry.codec == Codec::zstd, "section '{}' has the unknown codec {}", name, static_cast<uint32_t>(entry.codec));
    require(entry.raw_size <= largest_uncompressed && ZSTD_getFrameContentSize(content.data(), content.size()) == entry.raw_size, "section '{}' is damaged: its length is wrong", name);
    auto raw = std::make_shared<std::string>(entry.raw_size, '\0');
    const size_t size = ZSTD_decompress(raw->data(), raw->size(), content.data(), content.size());
    require(!ZSTD_isError(size) && size == entry.raw_size, "section '{}' cannot be decompressed", name);
    file.entries_.push_back({entry.id, *raw});
    file.uncompressed_.push_back(std::move(raw));
  }
  return file;
}

std::string_view SectionFile::optional_section(SectionId id) const {
  const auto found = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& entry) { return entry.id == static_cast<uint32_t>(id); });
  return found == entries_.end() ? std::string_view() : found->bytes;
}

std::string_view SectionFile::section(SectionId id) const {
  const bool there = std::any_of(entries_.begin(), entries_.end(), [&](const Entry& entry) { return entry.id == static_cast<uint32_t>(id); });
  require(there, "section '{}' is missing", section_name(id));
  return optional_section(id);
}

}  // namespace burnish::engine
