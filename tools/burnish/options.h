// The options that all subcommands share.
#pragma once

#include <burnish/build.h>

#include <memory>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace burnish::tool {

/// As written on the command line.
struct CommonOptions {
  std::string device;
  std::vector<std::string> precision;
  bool force_precision = false;  ///< no option: a command's own wish
  std::vector<std::string> shape, min_shape, opt_shape, max_shape;  ///< NAME=1x3x224x224
  std::vector<std::string> io;                                      ///< NAME=fp16:nhwc
  int threads = 0;
  int streams = 0;
  std::string tuning_cache;
  std::string tune;
  std::string arch;
  std::string rules;  ///< a file
  uint64_t seed = 0;
  std::string json;
  int verbose = 0;
  bool quiet = false;
};

/// Adds them to a subcommand; `options` lives as long as the command that captures it.
std::shared_ptr<CommonOptions> add_common_options(CLI::App& app);
/// For build(): names and shapes parsed. Throws UsageError that names the option.
BuildOptions build_options(const CommonOptions& options);

/// "NAME=VALUE" as its two parts; throws UsageError that names `option`.
std::pair<std::string, std::string> parse_assignment(const std::string& option, const std::string& text);
/// "1x3x224x224", or "scalar"; throws UsageError that names `option`.
Shape parse_shape(const std::string& option, const std::string& text);

}  // namespace burnish::tool
