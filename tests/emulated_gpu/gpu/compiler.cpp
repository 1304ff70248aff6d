// NVRTC's interface (libnvrtc.so.13), whose "cubin" is a shared library of the host, made by the host's
// compiler.
#include <nvrtc.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <string>

#include "translate.h"

namespace {

namespace fs = std::filesystem;

std::string read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

struct Program {
  std::string source, log, code;
};

/// What is compiled differently when it differs, in six digits: a part of the version, by which code is
/// cached.
int own_version() {
  static const int version = [] {
    std::string text = BURNISH_EMULATED_COMPILER;
    for (const char* file : {"device.h", "machine.h", "translate.cpp", "compiler.cpp"})
      text += read(fs::path(BURNISH_EMULATED_FOLDER) / file);
    return static_cast<int>(std::hash<std::string>()(text) % 1000000);
  }();
  return version;
}

bool compile(Program& program, const std::string& architecture) {
  std::string folder = (fs::temp_directory_path() / "emulated_gpu_XXXXXX").string();
  if (!mkdtemp(folder.data())) return false;
  const fs::path text = fs::path(folder) / "kernel.cpp", code = fs::path(folder) / "kernel.so",
                 log = fs::path(folder) / "log";
  try {
    std::ofstream(text) << burnish::emulated::translate(program.source, architecture);
  } catch (const std::exception& error) {
    program.log = error.what();
    fs::remove_all(folder);
    return false;
  }
  // Accesses at places of no whole multiple of their size stop, as a GPU stops.
  const std::string command = std::string(BURNISH_EMULATED_COMPILER) +
                              " -std=c++17 -O1 -march=native -w -shared -fPIC -fvisibility=hidden "
                              "-fno-gnu-unique -fno-strict-aliasing -fwrapv"
                              " -fsanitize=alignment,bounds -fsanitize-undefined-trap-on-error "
                              "-Wl,-Bsymbolic -I" BURNISH_EMULATED_FOLDER " -o " +
                              code.string() + " " + text.string() + " -lm > " + log.string() + " 2>&1";
  const bool good = std::system(command.c_str()) == 0;
  program.log = read(log);
  if (good) program.code = read(code);
  if (std::getenv("BURNISH_EMULATED_KEEP"))
    std::fprintf(stderr, "emulated GPU: %s\n", text.c_str());
  else
    fs::remove_all(folder);
  return good;
}

}  // namespace

extern "C" {
nvrtcResult nvrtcVersion(int* major, int* minor) {
  *major = 13;
  *minor = own_version();
  return NVRTC_SUCCESS;
}
nvrtcResult nvrtcCreateProgram(nvrtcProgram* program, const char* source, const char*, int,
                               const char* const*, const char* const*) {
  *program = reinterpret_cast<nvrtcProgram>(new Program{source, "", ""});
  return NVRTC_SUCCESS;
}
nvrtcResult nvrtcDestroyProgram(nvrtcProgram* program) {
  delete reinterpret_cast<Program*>(*program);
  return NVRTC_SUCCESS;
}
nvrtcResult nvrtcCompileProgram(nvrtcProgram program, int count, const char* const* options) {
  std::string architecture;
  const std::string name = "--gpu-architecture=";
  for (int i = 0; i < count; ++i)
    if (std::string(options[i]).rfind(name, 0) == 0) architecture = options[i] + name.size();
  return compile(*reinterpret_cast<Program*>(program), architecture) ? NVRTC_SUCCESS
                                                                     : NVRTC_ERROR_COMPILATION;
}
nvrtcResult nvrtcGetProgramLogSize(nvrtcProgram program, size_t* size) {
  *size = reinterpret_cast<Program*>(program)->log.size() + 1;
  return NVRTC_SUCCESS;
}
nvrtcResult nvrtcGetProgramLog(nvrtcProgram program, char* log) {
  const std::string& text = reinterpret_cast<Program*>(program)->log;
  text.copy(log, text.size());
  log[text.size()] = 0;
  return NVRTC_SUCCESS;
}
nvrtcResult nvrtcGetCUBINSize(nvrtcProgram program, size_t* size) {
  *size = reinterpret_cast<Program*>(program)->code.size();
  return NVRTC_SUCCESS;
}
nvrtcResult nvrtcGetCUBIN(nvrtcProgram program, char* code) {
  const std::string& bytes = reinterpret_cast<Program*>(program)->code;
  bytes.copy(code, bytes.size());
  return NVRTC_SUCCESS;
}
const char* nvrtcGetErrorString(nvrtcResult) { return "the emulated GPU's compiler failed"; }
}
