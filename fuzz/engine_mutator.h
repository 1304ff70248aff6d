// Changes engine files so that they still look whole: checksums and hashes are made anew after each change.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace burnish::fuzz {

/// An engine file taken apart; sections are uncompressed.
class EngineMutator {
 public:
  /// Bytes that are no engine give one of a single section that holds them.
  EngineMutator(const uint8_t* data, size_t size, unsigned seed);
  /// One change, drawn at random: of a section's bytes, of the program's JSON, or of the table of sections.
  void change();
  /// The file again, its checksums right.
  std::string bytes() const;

 private:
  struct Section {
    uint32_t id;
    std::string content;
  };
  void change_json(std::string& text);
  void change_bytes(std::string& content);
  size_t pick(size_t count) { return random_() % count; }

  std::mt19937 random_;
  std::vector<Section> sections_;
};

}  // namespace burnish::fuzz
