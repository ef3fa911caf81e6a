# SPDX-License-Identifier: BSD-3-Clause
"""What bench/run and bench/compare are made of; doc/bench.md says how it is used."""
