#include "base/contention.h"

#include <filesystem>
#include <fstream>
#include <system_error>

namespace burnish {

double waited_for_processors_us() {
  double waited_ns = 0;
  std::error_code error;
  for (std::filesystem::directory_iterator task("/proc/self/task", error), end; !error && task != end;
       task.increment(error)) {
    std::ifstream file(task->path() / "schedstat");
    double ran = 0, waited = 0;
    if (file >> ran >> waited) waited_ns += waited;
  }
  return waited_ns / 1e3;
}

}  // namespace burnish
