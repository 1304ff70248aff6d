// Optimise a trained model for the chip at hand.
#pragma once

#include <burnish/runtime.h>

#include <optional>

namespace burnish {

/// Arithmetic that build() may use beside FP32.
enum class Precision : uint8_t { fp32, tf32, fp16, bf16, int8, fp8 };
inline constexpr Precision fp32 = Precision::fp32, tf32 = Precision::tf32, fp16 = Precision::fp16,
                           bf16 = Precision::bf16, int8 = Precision::int8, fp8 = Precision::fp8;

std::string_view precision_name(Precision precision);
std::optional<Precision> parse_precision(std::string_view name);

namespace model_internal {
struct ModelState;
}

/// A trained network as read from a file: the imported graph with its weights mapped.
class Model {
 public:
  /// Reads an .onnx file (external data beside it). Throws Error naming the file and the node.
  static Model load(const std::string& path);
  /// The same from a serialised ModelProto in memory. External data is looked for in `external`, tensors by location
  /// that hold a file's bytes and are viewed (their owners kept), not copied; then in `folder`.
  static Model parse(const void* data, size_t bytes, const std::string& folder = "", const TensorMap& external = {});

  std::vector<IoInfo> inputs() const;
  std::vector<IoInfo> outputs() const;

  explicit Model(std::shared_ptr<const model_internal::ModelState> state) : state_(std::move(state)) {}
  const model_internal::ModelState& state() const { return *state_; }

 private:
  std::shared_ptr<const model_internal::ModelState> state_;
};

/// The range of a dynamic input; the kernels are tuned for `opt`.
struct ShapeRange {
  Shape min, opt, max;
};

struct BuildOptions {
  std::string device;                 ///< "cpu", "cuda", "cuda:1", "reference"; empty: cuda where a GPU is, else cpu
  std::vector<Precision> precision;   ///< what may be used beside FP32, where it pays; empty: the device's default
  bool force_precision = false;       ///< fp16 and bf16 are used though they make the run slower: to compare results
  std::map<std::string, Shape> shapes;             ///< fixes inputs' shapes
  std::map<std::string, ShapeRange> shape_ranges;  ///< ranges of dynamic inputs
  std::map<std::string, std::string> io;           ///< NAME -> "fp16:nhwc"
  int threads = 0;                    ///< CPU threads in all; 0: what the process may use
  int streams = 0;                    ///< the most GPU streams; 0: chosen by measuring
  std::optional<std::string> tuning_cache;  ///< a file; "none" for none; unset: the user's cache folder
  bool measure = true;                ///< time candidates; false: take the model's first choice
  std::string arch;                   ///< CUDA: compile for this architecture ("sm_80")
  bool passes = true;                 ///< false: run the imported graph as it is (for bisection)
  int64_t rule_limit = -1;            ///< stop rewriting after this many changes; -1: no limit
  std::string rules;                  ///< more rules, applied after Burnish's own: text in the language of src/rewrite/rule.h
  std::function<void(double fraction, const std::string& what)> on_progress;
  std::function<bool()> cancelled;    ///< asked now and then; true throws Cancelled
  std::function<void(const std::string& line)> on_log;
};

/// Optimises, tunes and packs. Throws Error naming the node, file or option that is wrong.
Engine build(const Model& model, const BuildOptions& options = {});
/// The same for a file.
Engine build(const std::string& path, const BuildOptions& options = {});

}  // namespace burnish
