#include "conformance_case.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/dispatch.h"
#include "base/mapped_file.h"
#include "build/model.h"
#include "onnx/import.h"
#include "onnx/tensor_data.h"
#include "runner.h"

namespace burnish::tool {
namespace {

namespace fs = std::filesystem;

/// A stored value whose type contradicts the model's declaration: the case is at fault.
struct Contradiction : Error {
  using Error::Error;
};

struct NamedTensor {
  std::string name;
  Tensor tensor;
};

/// `kind`_0.pb, `kind`_1.pb, ...
std::vector<NamedTensor> read_tensors(const fs::path& folder, const std::string& kind) {
  std::vector<NamedTensor> tensors;
  for (int i = 0;; ++i) {
    const fs::path path = folder / fmt::format("{}_{}.pb", kind, i);
    if (!fs::exists(path)) return tensors;
    with_context([&] { return path.filename().string(); },
                 [&] {
                   const auto file = MappedFile::open(path.string());
                   const onnx::TensorProto proto = onnx::parse_tensor(file->bytes());
                   onnx::TensorSource source(file, path.parent_path().string());
                   tensors.push_back({std::string(proto.name), source.read(proto)});
                 });
  }
}

/// The tensors by name where the file gives one that the model knows, else by position.
TensorMap by_name(const std::vector<NamedTensor>& tensors, const std::vector<IoInfo>& infos) {
  TensorMap named;
  for (size_t i = 0; i < tensors.size(); ++i) {
    auto info = std::find_if(infos.begin(), infos.end(),
                             [&](const IoInfo& known) { return known.name == tensors[i].name; });
    if (info == infos.end()) {
      require(i < infos.size(), "the case stores {} values, the model has {}", tensors.size(), infos.size());
      info = infos.begin() + static_cast<std::ptrdiff_t>(i);
    }
    // onnx 1.12 wrote some BF16 values as UINT16.
    if (info->dtype == DType::bf16 && tensors[i].tensor.dtype() == DType::u16)
      throw Contradiction(fmt::format("'{}' is declared as BFLOAT16 but stored as UINT16", info->name));
    named[info->name] = tensors[i].tensor;
  }
  return named;
}

/// How far an element may lie from the stored one. ONNX's own runner takes 1e-3 and 1e-7 for all floats;
/// results of 16 and 8 bits are rounded once more here and there, which moves them by an ulp or two. The
/// absolute part for f32 stands for sums that cancel: their rounding error is that of the terms.
struct Allowance {
  double relative, absolute;
};

Allowance allowance(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return {1e-3, 1e-6};
    case DType::f64:
      return {1e-5, 1e-9};  // stored answers are often computed from float constants
    case DType::f16:
      return {4e-3, 1e-3};
    case DType::bf16:
      return {3.2e-2, 1e-2};
    default:
      return {0, 0};
  }
}

std::string compare(const Tensor& actual, const Tensor& expected) {
  if (actual.dtype() != expected.dtype())
    return fmt::format("is {}, not {}", dtype_name(actual.dtype()), dtype_name(expected.dtype()));
  if (actual.shape() != expected.shape())
    return fmt::format("has shape {}, not {}", shape_text(actual.shape()), shape_text(expected.shape()));
  const Allowance allowed = allowance(expected.dtype());
  int64_t wrong = 0, first = -1;
  double got = 0, wanted = 0;
  dispatch(AllTypes{}, expected.dtype(), [&](auto type) {
    using T = typename decltype(type)::type;
    for (int64_t i = 0; i < expected.size(); ++i) {
      const auto a = static_cast<compute_t<T>>(actual.data<T>()[i]),
                 b = static_cast<compute_t<T>>(expected.data<T>()[i]);
      if (a == b) continue;
      const double x = static_cast<double>(a), y = static_cast<double>(b);
      if constexpr (std::is_floating_point_v<compute_t<T>>) {
        if (std::isnan(x) && std::isnan(y)) continue;
        if (std::isfinite(x) && std::isfinite(y) &&
            std::fabs(x - y) <= allowed.absolute + allowed.relative * std::fabs(y))
          continue;
      }
      if (wrong++ == 0) first = i, got = x, wanted = y;
    }
  });
  return wrong == 0 ? ""
                    : fmt::format("{} of {} elements differ; element {} is {}, not {}", wrong,
                                  expected.size(), first, got, wanted);
}

void check_data_set(const fs::path& folder, const Model& model, const Runner& runner) {
  const TensorMap inputs = by_name(read_tensors(folder, "input"), model.inputs());
  const TensorMap expected = by_name(read_tensors(folder, "output"), model.outputs());
  const TensorMap outputs = runner.run(inputs);
  for (const auto& [name, tensor] : expected) {
    const auto found = outputs.find(name);
    require(found != outputs.end(), "output '{}' is missing", name);
    const std::string difference = compare(found->second, tensor);
    require(difference.empty(), "output '{}' {}", name, difference);
  }
}

std::vector<fs::path> data_sets(const fs::path& folder) {
  std::vector<fs::path> sets;
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.is_directory() && entry.path().filename().string().starts_with("test_data_set_"))
      sets.push_back(entry.path());
  std::sort(sets.begin(), sets.end());
  return sets;
}

}  // namespace

std::vector<fs::path> find_cases(const std::string& path) {
  require(fs::is_directory(path), "'{}' is not a folder", path);
  std::vector<fs::path> cases;
  if (fs::exists(fs::path(path) / "model.onnx")) cases.push_back(path);
  for (const auto& entry :
       fs::recursive_directory_iterator(path, fs::directory_options::skip_permission_denied))
    if (entry.is_directory() && fs::exists(entry.path() / "model.onnx")) cases.push_back(entry.path());
  require(!cases.empty(), "'{}' holds no case: a folder with model.onnx and test_data_set_0", path);
  std::sort(cases.begin(), cases.end());
  return cases;
}

CaseResult run_case(const fs::path& folder, const CommonOptions& options) {
  CaseResult result{.name = (folder / "").parent_path().filename().string()};  // also of "a/b/"
  const auto conclude = [&](Verdict verdict, const std::string& reason) {
    result.verdict = verdict;
    result.reason = reason;
  };
  try {
    const Model model = Model::load((folder / "model.onnx").string());
    const Runner runner = make_runner(model, options);
    const std::vector<fs::path> sets = data_sets(folder);
    require(!sets.empty(), "the case has no test_data_set");
    for (const fs::path& set : sets) check_data_set(set, model, runner);
    result.fallback_kernels = runner.count().fallback_kernels;
  } catch (const onnx::Refused& refused) {
    conclude(Verdict::skipped, refused.kind());
  } catch (const Contradiction& contradiction) {
    conclude(Verdict::skipped, contradiction.message());
  } catch (const UsageError&) {
    throw;
  } catch (const std::exception& error) {
    conclude(Verdict::failed, error.what());
  }
  return result;
}

}  // namespace burnish::tool
