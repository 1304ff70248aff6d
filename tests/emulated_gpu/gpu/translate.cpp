#include "translate.h"

#include <cstring>
#include <regex>
#include <stdexcept>
#include <utility>

namespace burnish::emulated {
namespace {

/// What a function whose body has this PTX does on the host, by its parameters' names. The first that matches
/// counts.
constexpr std::pair<const char*, const char*> counterparts[] = {
    {"cvt.f32.f16", "return emulated_half_to_float(x.bits);"},
    {"cvt.rn.f16.f32", "return {emulated_float_to_half(x)};"},
    {"cvt.rn.bf16.f32", "return {emulated_float_to_bfloat(x)};"},
    {"cvt.rn.f16x2.f32",
     "return emulated_float_to_half(low) | uint32_t(emulated_float_to_half(high)) << 16;"},
    {"cvt.rn.bf16x2.f32",
     "return emulated_float_to_bfloat(low) | uint32_t(emulated_float_to_bfloat(high)) << 16;"},
    {"cvt.rna.tf32.f32", "return emulated_to_tf32(x);"},
    {"max.NaN.f32", "return emulated_max_nan(a, b);"},
    {"min.NaN.f32", "return emulated_min_nan(a, b);"},
    {"griddepcontrol", ""},
    {"prefetch.global", ""},
    {"prefetch.tensormap", ""},
    {"bulk.prefetch", ""},
    {"cp.async.cg.shared.global", "emulated_machine->copy(to, from, 16, valid);"},
    {"cp.async.ca.shared.global", "emulated_machine->copy(to, from, BYTES, valid);"},
    {"cp.async.commit_group", "emulated_machine->commit_copies();"},
    {"cp.async.wait_group", "emulated_machine->wait_copies(LEFT);"},
    {"ldmatrix.sync.aligned.m8n8.x4.shared", "emulated_load_matrices<false>(into, address);"},
    {"ldmatrix.sync.aligned.m8n8.x4.trans", "emulated_load_matrices<true>(into, address);"},
    {"mma.sync.aligned.m16n8k16.row.col.f32.f16", "emulated_multiply_16<EMULATED_F16>(d, a, b0, b1);"},
    {"mma.sync.aligned.m16n8k16.row.col.f32.bf16", "emulated_multiply_16<EMULATED_BF16>(d, a, b0, b1);"},
    {"mma.sync.aligned.m16n8k8.row.col.f32.tf32", "emulated_multiply_tf32(d, a, b0, b1);"},
    {"mbarrier.init", "emulated_machine->barrier_init(barrier, count);"},
    {"fence.mbarrier_init", ""},
    {"fence.proxy.async", ""},
    {"mbarrier.arrive.expect_tx", "emulated_machine->barrier_arrive(barrier, bytes);"},
    {"mbarrier.try_wait.parity", "emulated_machine->barrier_wait(barrier, parity);"},
    {"mapa.shared::cluster.u32 there",
     "emulated_machine->barrier_arrive(emulated_machine->block_address(barrier, block), 0);"},
    {"mbarrier.arrive.shared::cta", "emulated_machine->barrier_arrive(barrier, 0);"},
    {"mapa.shared::cluster.u32 %0", "return emulated_machine->block_address(address, block);"},
    {"cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes.multicast",
     "emulated_copy_tensor(to, map, {x, y}, barrier, blocks);"},
    {"cp.async.bulk.tensor.2d", "emulated_copy_tensor(to, map, {x, y}, barrier);"},
    {"cp.async.bulk.tensor.4d.shared::cluster.global.mbarrier::complete_tx::bytes.multicast",
     "emulated_copy_box(to, map, {c, w, h, n}, barrier, blocks);"},
    {"cp.async.bulk.tensor.4d", "emulated_copy_box(to, map, {c, w, h, n}, barrier);"},
    {"cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.multicast",
     "emulated_machine->copy_bulk(to, from, bytes, barrier, blocks);"},
    {"cp.async.bulk.shared", "emulated_machine->copy_bulk(to, from, bytes, barrier, 0);"},
    {"barrier.cluster", "emulated_machine->meet_cluster();"},
    {"st.async.weak.shared::cluster.mbarrier::complete_tx::bytes.v4",
     "emulated_machine->send(to, &four.x, 16, barrier);"},
    {"st.async.weak.shared::cluster.mbarrier::complete_tx::bytes.v2",
     "const float two[2] = {x, y}; emulated_machine->send(to, two, 8, barrier);"},
    {"st.async.weak", "emulated_machine->send(to, &x, 4, barrier);"},
    {"wgmma.fence", ""},
    {"wgmma.commit_group", "emulated_machine->commit_products();"},
    {"wgmma.wait_group", "emulated_machine->wait_products(LEFT);"},
    {"setmaxnreg", ""},
    {"asm volatile(\"\"", ""},
};

/// Behind the brace that closes the one at `begin`.
size_t body_end(const std::string& text, size_t begin) {
  bool quoted = false;
  int depth = 0;
  for (size_t at = begin; at < text.size(); ++at) {
    if (text[at] == '"' && text[at - 1] != '\\') quoted = !quoted;
    if (quoted) continue;
    if (text[at] == '{') ++depth;
    if (text[at] == '}' && --depth == 0) return at + 1;
  }
  throw std::runtime_error("a body that does not end");
}

/// The body (with its braces) in which place `at` lies.
std::pair<size_t, size_t> body_around(const std::string& text, size_t at) {
  size_t begin = text.rfind("BURNISH_DEVICE", at);
  if (begin == std::string::npos) throw std::runtime_error("PTX outside of a function");
  for (size_t depth = 0; begin < at;
       ++begin) {  // parameters may hold braces of no kind, so the first opens the body
    if (text[begin] == '(') ++depth;
    if (text[begin] == ')') --depth;
    if (text[begin] == '{' && depth == 0) break;
  }
  return {begin, body_end(text, begin)};
}

std::string counterpart(const std::string& text, size_t begin, const std::string& body) {
  std::smatch found;
  const std::regex product(R"(wgmma\.mma_async\.sync\.aligned\.m64n\d+k16\.f32\.(f16|bf16)\.\w+ .*(\d);\})");
  if (std::regex_search(body, found, product))
    return std::string("emulated_product<") + (found[1] == "f16" ? "EMULATED_F16" : "EMULATED_BF16") + ", " +
           (found[2] == "1" ? "true" : "false") + ">(d, left, right, add);";
  for (const auto& [ptx, call] : counterparts)
    if (body.find(ptx) != std::string::npos) return call;
  const size_t line = text.rfind('\n', begin) + 1;
  throw std::runtime_error("the emulated GPU knows no counterpart of the PTX of " +
                           text.substr(line, begin - line));
}

/// Statements among others: `asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));`.
std::string replace_statements(const std::string& text) {
  static const std::regex power(
      R"(asm\("ex2\.approx\.ftz\.f32 %0, %1;" : "=f"\((\w+)\) : "f"\(([^;]*)\)\);)");
  return std::regex_replace(text, power, "$1 = emulated_exp2($2);");
}

std::string replace_bodies(std::string text) {
  static const std::regex statement(R"(\basm\b)");
  std::smatch found;
  size_t from = 0;
  while (
      std::regex_search(text.cbegin() + static_cast<std::ptrdiff_t>(from), text.cend(), found, statement)) {
    const auto [begin, end] = body_around(text, from + static_cast<size_t>(found.position()));
    const std::string body = "{ " + counterpart(text, begin, text.substr(begin, end - begin)) + " }";
    text.replace(begin, end - begin, body);
    from = begin + body.size();
  }
  return text;
}

/// Shared memory whose size comes with the launch: as much as there is, and known to the machine.
std::string replace_shared(const std::string& text) {
  static const std::regex declaration(R"(extern __shared__ __align__\((\d+)\) char shared\[\];)");
  return std::regex_replace(text, declaration,
                            "alignas(1024) static char shared[232448];\n"
                            "EMULATED_EXPORT char* emulated_shared() { return shared; }\n");
}

/// What the machine calls, behind each kernel.
std::string add_entry_points(std::string text) {
  static const std::regex kernel(
      R"(__global__ void (?:__launch_bounds__\([^;{]*?\) )?(\w+)\(const Operands)");
  std::smatch found;
  std::string names;
  size_t from = 0;
  while (std::regex_search(text.cbegin() + static_cast<std::ptrdiff_t>(from), text.cend(), found, kernel)) {
    const std::string name = found[1];
    names += name + " ";
    const size_t end =
        body_end(text, text.find('{', from + static_cast<size_t>(found.position() + found.length())));
    const std::string entry = "\nEMULATED_EXPORT const unsigned* emulated_sizes_" + name +
                              "() { return decltype(emulated_signature(&" + name +
                              "))::sizes; }\nEMULATED_EXPORT void emulated_call_" + name +
                              "(void** parameters) { emulated_signature(&" + name + ").call(&" + name +
                              ", parameters); }\n";
    text.insert(end, entry);
    from = end + entry.size();
  }
  return text + "\nEMULATED_EXPORT const char* emulated_names() { return \"" + names + "\"; }\n";
}

}  // namespace

std::string translate(const std::string& text, const std::string& architecture) {
  std::string digits;
  for (char c : architecture)
    if (c >= '0' && c <= '9') digits += c;
  return "#define __CUDA_ARCH__ " + digits + "0\n#include \"device.h\"\n" +
         add_entry_points(replace_shared(replace_bodies(replace_statements(text))));
}

}  // namespace burnish::emulated
