// Files read whole, and written whole or not at all.
#pragma once

#include <string>
#include <string_view>

namespace burnish {

/// Throws Error naming the file.
std::string read_file(const std::string& path);
bool file_exists(const std::string& path);
/// Writes to a temporary file beside `path`, syncs, and renames it: nobody ever sees half a file.
/// Throws Error naming the file and the system's reason; nothing is left behind then.
void write_file(const std::string& path, std::string_view content);
/// Makes the folder and those above it.
void make_folders(const std::string& path);

}  // namespace burnish
