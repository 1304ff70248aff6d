// One folder in the layout of ONNX's backend tests: model.onnx and test_data_set_*/{input,output}_*.pb.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "options.h"

namespace burnish::tool {

enum class Verdict { passed, failed, skipped };

struct CaseResult {
  std::string name;
  Verdict verdict = Verdict::passed;
  std::string reason;  ///< of a failure or a skip
  int64_t fallback_kernels = 0;
};

/// The case folders at or below `path`, sorted. Throws Error when there are none.
std::vector<std::filesystem::path> find_cases(const std::string& path);
/// Never throws: whatever goes wrong is the verdict.
CaseResult run_case(const std::filesystem::path& folder, const CommonOptions& options);

}  // namespace burnish::tool
