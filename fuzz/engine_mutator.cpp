#include "fuzz/engine_mutator.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "engine/file.h"
#include "engine/format.h"

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);

namespace burnish::fuzz {
namespace {

using nlohmann::json;

constexpr size_t room = 512;  // bytes by which one change may make a section longer

/// Every value inside, in order.
void collect(json& value, std::vector<json*>& into) {
  into.push_back(&value);
  if (value.is_structured())
    for (json& inner : value) collect(inner, into);
}

int64_t edge_number(std::mt19937& random, int64_t old) {
  constexpr int64_t edges[] = {
      0, 1, -1, 2, 64, 255, 4096, int64_t{1} << 31, int64_t{1} << 32, int64_t{1} << 62, INT64_MAX, INT64_MIN};
  const size_t which = random() % (std::size(edges) + 2);
  return which < std::size(edges)
             ? edges[which]
             : static_cast<int64_t>(static_cast<uint64_t>(old) + (which % 2 ? 1 : -1) * uint64_t{64});
}

uint64_t padded(uint64_t offset) {
  return (offset + engine::section_alignment - 1) / engine::section_alignment * engine::section_alignment;
}

}  // namespace

EngineMutator::EngineMutator(const uint8_t* data, size_t size, unsigned seed) : random_(seed) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  try {
    const engine::SectionFile file = engine::SectionFile::parse(bytes, nullptr);
    for (uint32_t id = 0; id < 8; ++id) {
      try {
        sections_.push_back({id, std::string(file.section(static_cast<engine::SectionId>(id)))});
      } catch (const Error&) {  // not there
      }
    }
  } catch (const Error&) {
    sections_ = {{static_cast<uint32_t>(engine::SectionId::program), std::string(bytes)}};
  }
}

void EngineMutator::change_bytes(std::string& content) {
  const size_t size = content.size();
  content.resize(size + room);
  content.resize(LLVMFuzzerMutate(reinterpret_cast<uint8_t*>(content.data()), size, content.size()));
}

void EngineMutator::change_json(std::string& text) {
  json whole = json::parse(text, nullptr, false);
  if (whole.is_discarded()) return change_bytes(text);
  std::vector<json*> values;
  collect(whole, values);
  json& value = *values[pick(values.size())];
  const json other = *values[pick(values.size())];
  if (value.is_number() && pick(4)) {
    value = edge_number(random_, value.is_number_integer() ? value.get<int64_t>() : 0);
  } else if (value.is_string() && pick(8)) {
    std::string inner = value.get<std::string>();
    change_bytes(inner);
    value = inner;
  } else if (value.is_array() && !value.empty() && pick(4)) {
    const size_t at = pick(value.size());
    if (pick(2))
      value.erase(at);
    else
      value.push_back(json(value[at]));
  } else if (value.is_object() && !value.empty() && pick(4)) {
    value.erase(std::next(value.begin(), static_cast<std::ptrdiff_t>(pick(value.size()))));
  } else {
    value = other;
  }
  text = whole.dump(-1, ' ', false, json::error_handler_t::replace);
}

void EngineMutator::change() {
  if (sections_.empty() || pick(20) == 0)
    sections_.push_back({static_cast<uint32_t>(pick(6)), std::string(pick(200), 'x')});
  Section& section = sections_[pick(sections_.size())];
  switch (pick(12)) {
    case 0:
      section.id = static_cast<uint32_t>(pick(6));
      break;
    case 1:
      sections_.erase(sections_.begin() + static_cast<std::ptrdiff_t>(pick(sections_.size())));
      break;
    case 2:
      section.content.resize(pick(section.content.size() + 1));
      break;
    case 3:
      change_bytes(section.content);
      break;
    default:
      // Most of what a file says stands in the program.
      for (Section& each : sections_)
        if (each.id == static_cast<uint32_t>(engine::SectionId::program) ||
            (each.id == static_cast<uint32_t>(engine::SectionId::metadata) && !pick(8)))
          change_json(each.content);
  }
}

std::string EngineMutator::bytes() const {
  engine::Header header{};
  std::memcpy(header.magic, engine::magic, sizeof header.magic);
  header.version = engine::format_version;
  header.sections = static_cast<uint32_t>(sections_.size());
  std::vector<engine::TableEntry> table;
  std::string file(sizeof header + sections_.size() * sizeof(engine::TableEntry), '\0');
  for (const Section& section : sections_) {
    file.resize(padded(file.size()));
    table.push_back({section.id, engine::Codec::none, file.size(), section.content.size(),
                     section.content.size(),
                     engine::section_hash(section.content.data(), section.content.size())});
    file += section.content;
  }
  header.file_bytes = file.size();
  header.checksum = engine::table_checksum(header, table);
  std::memcpy(file.data(), &header, sizeof header);
  if (!table.empty())
    std::memcpy(file.data() + sizeof header, table.data(), table.size() * sizeof(engine::TableEntry));
  return file;
}

}  // namespace burnish::fuzz
