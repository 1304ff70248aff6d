// Which instruction sets Highway compiles our kernels for: baseline x86-64 (one lane, left to the compiler), SSE4, AVX2 with FMA,
// AVX-512. To be included before Highway's headers. The choice among them is made at run time.
#pragma once

#include <hwy/detect_targets.h>

#undef HWY_DISABLED_TARGETS
#define HWY_DISABLED_TARGETS HWY_SSSE3
