# SPDX-License-Identifier: Apache-2.0
"""Guest images for Nova: the one-machine cloud's layers, and a disk that boots."""
