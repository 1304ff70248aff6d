// A library that tells where it was loaded from, for the test of which one is found.
#include <dlfcn.h>

extern "C" const char* fake_library_path() {
  Dl_info here{};
  return dladdr(reinterpret_cast<void*>(&fake_library_path), &here) ? here.dli_fname : "";
}
