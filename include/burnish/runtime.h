// Load an engine and run it. burnish::runtime needs nothing else of Burnish.
#pragma once

#include <burnish/error.h>
#include <burnish/tensor.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace burnish {

namespace engine_internal {
struct EngineState;
}
namespace session_internal {
class SessionState;
}

/// One input or output of an engine as its caller sees it.
struct IoInfo {
  std::string name;
  DType dtype = DType::f32;
  /// One text per dimension: a number ("224") or an expression over symbols ("n", "2*w").
  std::vector<std::string> dims;
};

/// A weight of the model that an engine was built from: an initializer of its ONNX file.
struct WeightInfo {
  std::string name;
  DType dtype = DType::f32;
  Shape shape;
  /// Empty where refit() takes other values; else what has made the engine depend on the present ones: a rule that
  /// looked at them, shapes, a body of If, Loop or Scan that holds a copy.
  std::string fixed_by;
};

struct LoadOptions {
  std::string device;  ///< "cpu", "cuda", "cuda:1", "reference"; empty: the one it was built for
  int threads = 0;     ///< CPU threads in all; 0: what the process may use
  std::function<void(const std::string&)> on_log;
};

using TensorMap = std::map<std::string, Tensor>;

/// An optimised model: immutable, and shared by any number of threads and sessions.
class Engine {
 public:
  Engine() = default;
  /// Maps and validates a .burnish file. Throws Error naming the file and the section that is wrong.
  static Engine load(const std::string& path, const LoadOptions& options = {});
  /// Writes the file whole or not at all.
  void save(const std::string& path) const;

  std::vector<IoInfo> inputs() const;
  std::vector<IoInfo> outputs() const;
  /// What the model said of itself: the metadata_props of its ONNX file.
  const std::map<std::string, std::string>& metadata() const;
  /// The model's weights, in the order of their names.
  std::vector<WeightInfo> weights() const;

  /// An engine with other values in some of the weights, by the names of weights(): tensors on the host, of the same
  /// types and shapes, which are copied. Plan, kernels, code and tuning are shared with this engine, which stays as
  /// it is; what was folded or merged of the weights is computed and packed again, and nothing is timed. In FP32 the
  /// results are those of a fresh build with the same tuning cache, bit for bit; a lower precision stays where it was
  /// chosen for the weights at the build. Throws Error that names a weight that is unknown, of another type or
  /// shape, or fixed.
  Engine refit(const TensorMap& weights) const;

  explicit Engine(std::shared_ptr<const engine_internal::EngineState> state) : state_(std::move(state)) {}
  const engine_internal::EngineState& state() const { return *state_; }
  const std::shared_ptr<const engine_internal::EngineState>& shared_state() const { return state_; }

 private:
  std::shared_ptr<const engine_internal::EngineState> state_;
};

/// Sizes that the last run's plan needed, in bytes.
struct MemoryUse {
  int64_t arena = 0;
  int64_t arena_lower_bound = 0;
  int64_t arena_values = 0;  ///< the arena without workspace
  int64_t workspace = 0;     ///< the largest step's
  int64_t weights = 0;
  int64_t peak_device = 0;  ///< weights, the arena, and what else the session holds, but for inputs and outputs
};

/// One thread of execution over an Engine; holds the arena and the plans of the shapes seen.
class Session {
 public:
  explicit Session(Engine engine);
  ~Session();
  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;

  /// Runs once. Missing, unknown or ill-shaped inputs throw Error with the input's name.
  /// The outputs belong to the caller.
  TensorMap run(const TensorMap& inputs);
  /// For engines of one input and one output.
  Tensor run(const Tensor& input);
  /// As run(), writing outputs straight into the caller's tensors of the right type and shape.
  void run_into(const TensorMap& inputs, TensorMap& outputs);
  /// The caller's stream (a CUstream on CUDA) for runs from here on, behind those on the one before, which must be there still; null: the session's own.
  void set_stream(void* stream);

  MemoryUse memory() const;
  session_internal::SessionState& state() { return *state_; }

 private:
  std::unique_ptr<session_internal::SessionState> state_;
};

}  // namespace burnish
