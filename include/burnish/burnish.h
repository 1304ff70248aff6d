// The whole public API of Burnish.
#pragma once

#include <burnish/build.h>
#include <burnish/runtime.h>
