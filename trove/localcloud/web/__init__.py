# SPDX-License-Identifier: Apache-2.0
"""The HTTP of Nova, Cinder, Neutron and Glance, as far as a database service needs."""
