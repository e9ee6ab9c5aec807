# SPDX-License-Identifier: Apache-2.0
"""The HTTP of Nova, Cinder, Neutron and Glance: the calls that a database service makes."""
