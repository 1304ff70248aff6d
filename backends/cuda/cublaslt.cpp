// Matrix products by cuBLASLt: its heuristic's algorithms as candidates, with bias, ReLU or GELU and a
// residual in its epilogue.
#include <cublasLt.h>

#include <algorithm>
#include <cstdio>
#include <map>

#include "cuda/bound_at.h"
#include "cuda/contraction.h"
#include "cuda/library.h"
#include "cuda/tactics.h"
#include "ops/table.h"

namespace burnish::cuda {
namespace {

using device::Candidate;
using device::Problem;

#define BURNISH_CUBLASLT_FUNCTIONS(X)                                                                \
  X(cublasLtCreate)                                                                                  \
  X(cublasLtGetVersion)                                                                              \
  X(cublasLtMatmul) X(cublasLtMatmulDescCreate) X(cublasLtMatmulDescDestroy)                         \
      X(cublasLtMatmulDescSetAttribute) X(cublasLtMatrixLayoutCreate) X(cublasLtMatrixLayoutDestroy) \
          X(cublasLtMatrixLayoutSetAttribute) X(cublasLtMatmulPreferenceCreate)                      \
              X(cublasLtMatmulPreferenceDestroy) X(cublasLtMatmulPreferenceSetAttribute)             \
                  X(cublasLtMatmulAlgoGetHeuristic)

struct CublasLt {
#define BURNISH_FIELD(NAME) decltype(&::NAME) NAME = nullptr;
  BURNISH_CUBLASLT_FUNCTIONS(BURNISH_FIELD)
#undef BURNISH_FIELD
  CublasLt() {
    const Library library("cuBLASLt", {"libcublasLt.so.13", "libcublasLt.so.12", "libcublasLt.so"});
#define BURNISH_LOAD(NAME) NAME = reinterpret_cast<decltype(NAME)>(library.get(#NAME));
    BURNISH_CUBLASLT_FUNCTIONS(BURNISH_LOAD)
#undef BURNISH_LOAD
  }
};

const CublasLt& cublaslt() {
  static const CublasLt opened;
  return opened;
}

/// Null where the library is missing.
const CublasLt* cublaslt_if_there() {
  static const CublasLt* const found = [] {
    try {
      return &cublaslt();
    } catch (const Error&) {
      return static_cast<const CublasLt*>(nullptr);
    }
  }();
  return found;
}

void check(cublasStatus_t status, const char* what) {
  require(status == CUBLAS_STATUS_SUCCESS, "cuBLASLt: {} failed with status {}", what,
          static_cast<int>(status));
}

cudaDataType_t data_type(DType dtype) {
  return dtype == DType::f16 ? CUDA_R_16F : dtype == DType::bf16 ? CUDA_R_16BF : CUDA_R_32F;
}

/// A product's epilogue as cuBLASLt has it: [+ bias] [activation] or [+ bias] [+ residual].
struct Shape {
  Contraction contraction;
  int bias = -1, residual = -1;
  cublasLtEpilogue_t epilogue = CUBLASLT_EPILOGUE_DEFAULT;
};

Support analyse(const Problem& problem, Shape& shape) {
  if (Support support = Contraction::analyse(problem, shape.contraction); !support) return support;
  const Contraction& c = shape.contraction;
  if (c.conv) return Support::no("not a matrix product");
  if (c.left_offset * dtype_bytes(c.dtype) % 16)
    return Support::no("rows that begin at no whole 16-byte piece");
  ir::ValueId value = c.output;
  bool activated = false;
  for (size_t i = c.node + 1; i < problem.nodes().size(); ++i) {
    const ir::Node& node = problem.node(i);
    if (activated || node.inputs.empty() ||
        std::find(node.inputs.begin(), node.inputs.end(), value) == node.inputs.end())
      return Support::no("its epilogue is not this one");
    if (node.op == &ops::def::add && node.inputs[0] != node.inputs[1]) {
      const int other = problem.input_index(node.inputs[0] == value ? node.inputs[1] : node.inputs[0]);
      if (other < 0) return Support::no("it adds a literal");
      const ir::TensorType& type = problem.input(other);
      if (type.dtype != c.dtype) return Support::no("it adds another type");
      const bool vector = !type.shape.empty() && ir::product(type.shape) == type.shape.back() &&
                          type.shape.back() == c.columns;
      if (vector && shape.bias < 0 && shape.residual < 0)
        shape.bias = other;
      else if (type.shape == problem.output(0).shape && shape.residual < 0)
        shape.residual = other;
      else
        return Support::no("it adds something else");
    } else if ((node.op == &ops::def::relu || node.op == &ops::def::gelu) && shape.residual < 0) {
      // Its GELU is the one by tanh, whose error 16 bits hide and 32 do not.
      if (node.op == &ops::def::gelu && c.dtype == DType::f32) return Support::no("its GELU is approximate");
      activated = true;
      const bool relu = node.op == &ops::def::relu, biased = shape.bias >= 0;
      shape.epilogue = relu     ? (biased ? CUBLASLT_EPILOGUE_RELU_BIAS : CUBLASLT_EPILOGUE_RELU)
                       : biased ? CUBLASLT_EPILOGUE_GELU_BIAS
                                : CUBLASLT_EPILOGUE_GELU;
    } else {
      return Support::no("its epilogue has no {}", node.op->name);
    }
    value = node.outputs[0];
  }
  if (!activated && shape.bias >= 0) shape.epilogue = CUBLASLT_EPILOGUE_BIAS;
  return Support::yes();
}

Shape shape_of(const Problem& problem) {
  Shape shape;
  const Support support = analyse(problem, shape);
  require(static_cast<bool>(support), "internal: {}", support.reason());
  return shape;
}

/// Descriptors of one product. Row-major matrices are column-major ones transposed, so the right operand
/// comes first.
class Descriptors {
 public:
  Descriptors(const Shape& shape, DType dtype, bool tf32) {
    const Contraction& c = shape.contraction;
    const CublasLt& api = cublaslt();
    const cudaDataType_t type = data_type(dtype);
    const cublasComputeType_t compute =
        dtype == DType::f32 && tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
    check(api.cublasLtMatmulDescCreate(&product, compute, CUDA_R_32F), "cublasLtMatmulDescCreate");
    // An operand whose inner index is contiguous is [inner x outer] in column-major order.
    const bool right_inner = c.right_k.is(1) && !c.right_n.is(1), left_inner = c.left_c.is(1);
    const cublasOperation_t first = right_inner ? CUBLAS_OP_T : CUBLAS_OP_N,
                            second = left_inner ? CUBLAS_OP_N : CUBLAS_OP_T;
    set(CUBLASLT_MATMUL_DESC_TRANSA, first);
    set(CUBLASLT_MATMUL_DESC_TRANSB, second);
    set(CUBLASLT_MATMUL_DESC_EPILOGUE, shape.epilogue);
    const uint64_t m = static_cast<uint64_t>(c.columns.constant()),
                   n = static_cast<uint64_t>(c.total_rows.constant()),
                   k = static_cast<uint64_t>(c.inner.constant());
    right = right_inner ? layout(type, k, m, c.right_n.constant()) : layout(type, m, k, c.right_k.constant());
    left = left_inner ? layout(type, k, n, c.left_h.constant()) : layout(type, n, k, c.left_c.constant());
    output = layout(type, m, n, static_cast<int64_t>(m));
    const int32_t batch = static_cast<int32_t>(c.batch.constant());
    if (batch == 1) return;
    set_batch(right, batch, c.right_batch.constant());
    set_batch(left, batch, c.left_batch.constant());
    set_batch(output, batch, static_cast<int64_t>(m * n));
  }
  ~Descriptors() {
    const CublasLt& api = cublaslt();
    for (cublasLtMatrixLayout_t each : {right, left, output})
      if (each) api.cublasLtMatrixLayoutDestroy(each);
    if (product) api.cublasLtMatmulDescDestroy(product);
  }
  Descriptors(const Descriptors&) = delete;

  void set_bias(const void* bias) { set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, bias); }

  cublasLtMatmulDesc_t product = nullptr;
  cublasLtMatrixLayout_t right = nullptr, left = nullptr, output = nullptr;

 private:
  template <class T>
  void set(cublasLtMatmulDescAttributes_t which, const T& value) {
    check(cublaslt().cublasLtMatmulDescSetAttribute(product, which, &value, sizeof value),
          "cublasLtMatmulDescSetAttribute");
  }
  static cublasLtMatrixLayout_t layout(cudaDataType_t type, uint64_t rows, uint64_t columns, int64_t stride) {
    cublasLtMatrixLayout_t made = nullptr;
    check(cublaslt().cublasLtMatrixLayoutCreate(&made, type, rows, columns, stride),
          "cublasLtMatrixLayoutCreate");
    return made;
  }
  static void set_batch(cublasLtMatrixLayout_t layout, int32_t count, int64_t stride) {
    check(cublaslt().cublasLtMatrixLayoutSetAttribute(layout, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &count,
                                                      sizeof count),
          "cublasLtMatrixLayoutSetAttribute");
    check(cublaslt().cublasLtMatrixLayoutSetAttribute(layout, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET,
                                                      &stride, sizeof stride),
          "cublasLtMatrixLayoutSetAttribute");
  }
};

constexpr size_t most_workspace = 32 << 20;
constexpr int most_algorithms = 8;

std::vector<cublasLtMatmulHeuristicResult_t> algorithms(cublasLtHandle_t handle,
                                                        const Descriptors& descriptors) {
  const CublasLt& api = cublaslt();
  cublasLtMatmulPreference_t preference = nullptr;
  check(api.cublasLtMatmulPreferenceCreate(&preference), "cublasLtMatmulPreferenceCreate");
  api.cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
                                           &most_workspace, sizeof most_workspace);
  std::vector<cublasLtMatmulHeuristicResult_t> found(most_algorithms);
  int count = 0;
  const cublasStatus_t status = api.cublasLtMatmulAlgoGetHeuristic(
      handle, descriptors.product, descriptors.right, descriptors.left, descriptors.output,
      descriptors.output, preference, most_algorithms, found.data(), &count);
  api.cublasLtMatmulPreferenceDestroy(preference);
  found.resize(status == CUBLAS_STATUS_SUCCESS ? static_cast<size_t>(count) : 0);
  return found;
}

/// One handle for the process: it belongs to the primary context and may be used by all threads.
cublasLtHandle_t handle_of(CudaDevice& device) {
  const ContextScope scope(device.context());
  static std::mutex mutex;
  static std::map<CUcontext, cublasLtHandle_t> handles;
  std::lock_guard lock(mutex);
  cublasLtHandle_t& handle = handles[device.context()];
  if (!handle) check(cublaslt().cublasLtCreate(&handle), "cublasLtCreate");
  return handle;
}

class Bound : public device::BoundKernel {
 public:
  Bound(const Problem& problem, size_t algorithm, CudaDevice& device)
      : shape_(shape_of(problem)),
        problem_(problem),
        device_(device),
        handle_(handle_of(device)),
        descriptors_(shape_, shape_.contraction.dtype, device.info().tf32) {
    const auto found = algorithms(handle_, descriptors_);
    require(!found.empty(), "cuBLASLt has no algorithm for these shapes");
    chosen_ = found[std::min(algorithm, found.size() - 1)];  // another shape may have fewer
  }

  size_t workspace_bytes() const override { return chosen_.workspaceSize; }
  int in_place_input() const override {
    return shape_.residual >= 0 && !problem_.is_weight(shape_.residual) &&
                   shape_.residual != shape_.contraction.left
               ? shape_.residual
               : -1;
  }

  void enqueue(device::Stream& any_stream, const device::Arguments& arguments) override {
    CudaStream& stream = cuda_stream(any_stream);
    const auto pointer = [&](int input) {
      return problem_.is_weight(input)
                 ? arguments.constants[static_cast<size_t>(weight_order(problem_, input))].raw()
                 : arguments.inputs[static_cast<size_t>(input)];
    };
    if (shape_.bias >= 0) descriptors_.set_bias(pointer(shape_.bias));
    const Contraction& c = shape_.contraction;
    const void* left = static_cast<const char*>(pointer(c.left)) + c.left_offset * dtype_bytes(c.dtype);
    const float one = 1, beta = shape_.residual >= 0 ? 1.0f : 0.0f;
    const void* addend = shape_.residual >= 0 ? pointer(shape_.residual) : arguments.outputs[0];
    check(cublaslt().cublasLtMatmul(handle_, descriptors_.product, &one, pointer(shape_.contraction.right),
                                    descriptors_.right, left, descriptors_.left, &beta, addend,
                                    descriptors_.output, arguments.outputs[0], descriptors_.output,
                                    &chosen_.algo, arguments.workspace, chosen_.workspaceSize,
                                    reinterpret_cast<cudaStream_t>(stream.native())),
          "cublasLtMatmul");
    stream.set_follows_kernel(false);
    stream.set_last_kernel("cublaslt.matmul");
  }

 private:
  Shape shape_;
  Problem problem_;
  CudaDevice& device_;
  cublasLtHandle_t handle_;
  Descriptors descriptors_;
  cublasLtMatmulHeuristicResult_t chosen_{};
};

class CublasLtTactic : public device::Tactic {
 public:
  std::string name() const override { return "cublaslt.matmul"; }

  Support supports(const Problem& problem, const device::DeviceInfo& device) const override {
    if (device.elsewhere) return Support::no("its algorithms can be chosen on the chip itself only");
    if (!cublaslt_if_there()) return Support::no("cuBLASLt was not found");
    if (Support support = supports_layouts(problem); !support) return support;
    Shape shape;
    if (Support support = analyse(problem, shape); !support) return support;
    const DType dtype = shape.contraction.dtype;
    if (dtype != DType::f16 && dtype != DType::bf16 && dtype != DType::f32)
      return Support::no("it takes f32, f16 and bf16");
    for (int i = 0; i < problem.output_count(); ++i)
      if (problem.output(i).layout != ir::Layout::plain || problem.output(i).dtype != dtype)
        return Support::no("it gives plain tensors of the operands' type");
    return Support::yes();
  }

  std::vector<Candidate> candidates(const Problem& problem, device::Device& device) const override {
    CudaDevice& gpu = cuda_device(device);
    const Shape shape = shape_of(problem.at_opt());
    const Contraction& c = shape.contraction;
    const size_t count = count_algorithms(shape, gpu);
    const double flops = 2.0 * static_cast<double>(c.total_rows.constant()) *
                         static_cast<double>(c.columns.constant()) * static_cast<double>(c.inner.constant()) *
                         static_cast<double>(c.batch.constant());
    const double guess = 3.5 + flops / (c.dtype == DType::f32 ? 5e7 : 5.5e8);
    std::vector<Candidate> found;
    for (size_t i = 0; i < std::max<size_t>(count, 1); ++i)
      found.push_back({fmt::format("algorithm{}", i), guess * (1 + 0.02 * static_cast<double>(i))});
    return found;
  }

  std::unique_ptr<device::Kernel> load(const Problem& problem, const Candidate& candidate, const std::string&,
                                       device::Device& device) const override {
    int algorithm = 0;
    const bool read = std::sscanf(candidate.id.c_str(), "algorithm%d", &algorithm) == 1;
    require(read && algorithm >= 0 && algorithm < most_algorithms, "'{}' is no candidate of cublaslt.matmul",
            candidate.id);
    return std::make_unique<BoundAt<Bound>>(problem, static_cast<size_t>(algorithm), cuda_device(device));
  }

 private:
  /// 0 where cuBLASLt is there but does not start (for another driver, say), which trying the first one then
  /// says.
  static size_t count_algorithms(const Shape& shape, CudaDevice& device) {
    try {
      const Descriptors descriptors(shape, shape.contraction.dtype, device.info().tf32);
      return algorithms(handle_of(device), descriptors).size();
    } catch (const Error&) {
      device.require_usable();
      return 0;
    }
  }
};

}  // namespace

const device::Tactic& cublaslt_tactic() {
  static const CublasLtTactic tactic;
  return tactic;
}

}  // namespace burnish::cuda
