// TfIdfVectorizer over integers: how often each n-gram of a pool stands in a vector, with gaps of up to
// max_skip_count between its items.
#include <algorithm>

#include "onnx/import.h"
#include "onnx/lower.h"
#include "onnx/lowerings.h"

namespace burnish::onnx {
namespace {

namespace def = ops::def;

/// The n-grams of one length, and which of the pool the first of them is.
struct Grams {
  int64_t length = 0, first = 0, count = 0;
  std::vector<int64_t> items;  // [count, length]
};

/// The pool's n-grams, unigrams first; `ngram_counts` says where those of each length begin in `pool_int64s`.
std::vector<Grams> read_pool(const Lower& node) {
  const std::vector<int64_t> pool = node.integers("pool_int64s"), begins = node.integers("ngram_counts");
  std::vector<Grams> lengths;
  int64_t seen = 0;
  for (size_t i = 0; i < begins.size(); ++i) {
    const int64_t length = static_cast<int64_t>(i) + 1, begin = begins[i];
    const int64_t end = i + 1 < begins.size() ? begins[i + 1] : static_cast<int64_t>(pool.size());
    require(
        begin >= 0 && begin <= end && end <= static_cast<int64_t>(pool.size()) && (end - begin) % length == 0,
        "ngram_counts leave no whole {}-grams between {} and {} of {} items", length, begin, end,
        pool.size());
    lengths.push_back({length, seen, (end - begin) / length, {pool.begin() + begin, pool.begin() + end}});
    seen += lengths.back().count;
  }
  return lengths;
}

/// Of each n-gram, in how many of the windows of `x` [N,C] with this `stride` between items it stands: f32
/// [N,count].
ir::ValueId count_matches(Lower& node, ir::ValueId x, const Grams& grams, int64_t stride, int64_t windows) {
  std::vector<int64_t> places;
  for (int64_t start = 0; start < windows; ++start)
    for (int64_t i = 0; i < grams.length; ++i) places.push_back(start + i * stride);
  const ir::ValueId gathered = node.emit(def::gather, {{"axis", 1}}, {x, node.add_integers(places)});
  const ir::ValueId in_windows =
      node.emit(def::reshape, {gathered, node.add_integers({0, windows, 1, grams.length})});
  const ir::ValueId wanted = node.add_constant(Tensor::of<int64_t>({grams.count, grams.length}, grams.items));
  const ir::ValueId same =
      node.emit(def::cast, {{"to", DType::f32}}, {node.emit(def::equal, {in_windows, wanted})});
  const ir::ValueId all =
      node.emit(def::reduce_min, {{"axes", std::vector<int64_t>{3}}, {"keepdims", false}}, {same});
  return node.emit(def::reduce_sum, {{"axes", std::vector<int64_t>{1}}, {"keepdims", false}}, {all});
}

/// A column of zeros [N,1] beside `x` [N,C].
ir::ValueId zeros_beside(Lower& node, ir::ValueId x) {
  const ir::ValueId rows =
      node.emit(def::slice, {node.emit(def::shape, {x}), node.add_integers({0}), node.add_integers({1})});
  const ir::ValueId shape = node.emit(def::concat, {{"axis", 0}}, {rows, node.add_integers({1})});
  return node.emit(def::expand, {node.add_scalar(DType::f32, 0), shape});
}

/// By mode: TF counts, IDF is the weight of what stands there at all, TFIDF both multiplied.
ir::ValueId weighted(Lower& node, ir::ValueId counts, const std::vector<float>& weights) {
  const std::string mode = node.text("mode");
  require(mode == "TF" || mode == "IDF" || mode == "TFIDF", "mode must be TF, IDF or TFIDF, not '{}'", mode);
  if (mode == "TF") return counts;
  if (mode == "IDF")
    counts = node.emit(def::cast, {{"to", DType::f32}},
                       {node.emit(def::greater, {counts, node.add_scalar(DType::f32, 0)})});
  const auto size = static_cast<int64_t>(weights.size());
  return node.emit(def::mul, {counts, node.add_constant(Tensor::of<float>({size}, weights))});
}

}  // namespace

void lower_tfidf_vectorizer(Lower& node) {
  if (node.has("pool_strings")) throw Refused("string", "n-grams of strings are not supported");
  ir::ValueId x = node.needed_input(0);
  const bool vector = node.rank(x) == 1;
  require(vector || node.rank(x) == 2, "the input is {}; [C] or [N,C] is expected", node.type(x).str());
  if (vector) x = node.emit(def::reshape, {x, node.add_integers({1, -1})});
  if (node.dtype(x) != DType::i64) x = node.emit(def::cast, {{"to", DType::i64}}, {x});
  const ir::Dim width = node.type(x).shape[1];
  require(width.is_constant(), "the input is {}; a fixed number of items is expected", node.type(x).str());

  const std::vector<Grams> pool = read_pool(node);
  const std::vector<int64_t> columns = node.integers("ngram_indexes");
  const std::vector<double> given = node.numbers("weights");
  const int64_t total = pool.empty() ? 0 : pool.back().first + pool.back().count;
  require(static_cast<int64_t>(columns.size()) == total && (given.empty() || given.size() == columns.size()),
          "{} n-grams have {} ngram_indexes and {} weights", total, columns.size(), given.size());

  // The counts, a column each, behind one of zeros; `source` says which of them each output is.
  std::vector<ir::ValueId> parts = {zeros_beside(node, x)};
  std::vector<float> weights = {0};
  std::vector<int64_t> source;
  const int64_t least = node.integer("min_gram_length", 1), most = node.integer("max_gram_length", 1);
  for (const Grams& grams : pool) {
    ir::ValueId counts;
    const int64_t skips = grams.length == 1 ? 0 : node.integer("max_skip_count");
    for (int64_t skip = 0; skip <= skips && grams.count > 0 && grams.length >= least && grams.length <= most;
         ++skip) {
      const int64_t windows = width.constant() - (skip + 1) * (grams.length - 1);
      if (windows <= 0) break;
      const ir::ValueId found = count_matches(node, x, grams, skip + 1, windows);
      counts = counts ? node.emit(def::add, {counts, found}) : found;
    }
    for (int64_t i = 0; i < grams.count; ++i) {
      const int64_t column = columns[static_cast<size_t>(grams.first + i)];
      require(column >= 0 && column < (int64_t{1} << 24), "ngram_indexes has the entry {}", column);
      if (static_cast<int64_t>(source.size()) <= column) source.resize(static_cast<size_t>(column) + 1, 0);
      if (!counts) continue;
      require(source[static_cast<size_t>(column)] == 0, "two n-grams have the index {}", column);
      source[static_cast<size_t>(column)] = static_cast<int64_t>(weights.size());
      weights.push_back(given.empty() ? 1 : static_cast<float>(given[static_cast<size_t>(grams.first + i)]));
    }
    if (counts) parts.push_back(counts);
  }
  const ir::ValueId found = weighted(node, node.emit(def::concat, {{"axis", 1}}, parts), weights);
  const ir::ValueId result = node.emit(def::gather, {{"axis", 1}}, {found, node.add_integers(source)});
  node.set_output(0, vector ? node.emit(def::reshape, {result, node.add_integers({-1})}) : result);
}

}  // namespace burnish::onnx
